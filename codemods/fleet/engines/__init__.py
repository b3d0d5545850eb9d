"""Engines: where tasks are carried out, behind one small interface."""
