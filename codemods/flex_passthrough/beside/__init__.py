"""Beside: what other processes work out, where there is enough of it to pay for their start."""
