"""Ahead: questions that a plan is about to ask, put to workers all at once.

What they answer is what the plan would find out itself, one question after the other. It asks all the same,
and then knows.
"""
