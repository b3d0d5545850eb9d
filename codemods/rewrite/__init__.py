"""What any codemod needs to change files: edits, diffs, checks on output, atomic writes."""
