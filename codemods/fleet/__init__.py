"""Many repositories, one command: plan, mend and verify each in a copy of its own, and hand back patches."""
