"""The one way in which verification fails as a whole."""

from __future__ import annotations


class CannotVerify(Exception):
    """Nothing can be said of the tree, and the message, one line for the user, says why."""
