"""The program as it is written: modules, names, definitions and classes, read as far as somebody asks."""
