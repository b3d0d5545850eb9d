"""The command: options and configuration, what is asked of the reader, what is shown, and how it ends."""
