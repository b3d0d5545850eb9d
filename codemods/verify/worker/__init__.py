"""The child side of the harness: runs inside the checked tree's own environment.

Nothing here is installed there. ``start.py`` loads this package by its location under a private
name, so nothing in the tree can shadow it or be shadowed by it. It needs Python 3.9, torch, and
the tree; nothing else of this project.
"""
