"""Idioms: what model code does with dense masks, one module each, that rules look for."""
