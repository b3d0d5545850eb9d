"""One module per rule: what it finds, why that is wrong, and which mend answers it."""
