"""Environments to run trees in: made from the tree's own pins, kept, and shared between runs."""
