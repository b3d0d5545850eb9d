"""How a mend reads the lines that it edits, and writes as their file does."""
