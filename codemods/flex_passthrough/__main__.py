"""``python -m codemods.flex_passthrough``."""

from codemods.source.import_path import forget_working_directory

forget_working_directory()

from codemods.flex_passthrough.command.cli import main  # noqa: E402 - not before the import path is safe

if __name__ == "__main__":
    main()
