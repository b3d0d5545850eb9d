"""From diagnoses to the plan: proposals, trials, decisions, and what every file will hold."""
