"""The harness: runs tiny models of a tree under flex attention and compares them with eager."""
