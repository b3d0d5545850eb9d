"""Reads a tree without running it and follows attention masks through classes and calls."""
