"""The tools of the repository itself: its converter and checks, run on scratch copies."""
