"""A package laid out like transformers, as small as the harness lets it be; it needs torch only."""

__version__ = "1.0"
