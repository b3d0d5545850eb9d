"""The ground floor: what a tree is, which files it holds, and their exact text."""
