"""The faces of a plan and its verdicts: terminal, patch, JSON."""
