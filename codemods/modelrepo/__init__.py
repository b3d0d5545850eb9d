"""What is special about a transformers-like repository: generated files, copies, roots."""
