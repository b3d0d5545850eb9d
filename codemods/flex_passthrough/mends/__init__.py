"""The mends: LibCST transformers that turn a finding into the smallest right edit."""
