"""``python -m codemods.verify``."""

from codemods.verify.cli import main

if __name__ == "__main__":
    main()
