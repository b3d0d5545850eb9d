"""``python -m codemods.flex_passthrough``."""

from codemods.flex_passthrough.cli import main

if __name__ == "__main__":
    main()
