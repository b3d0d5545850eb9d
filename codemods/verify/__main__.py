"""``python -m codemods.verify``."""

from codemods.source.import_path import forget_working_directory

forget_working_directory()

import sys  # noqa: E402 - not before the import path is safe

from codemods.verify.cli import main  # noqa: E402
from codemods.verify.environments.cli import env  # noqa: E402

if __name__ == "__main__":
    if sys.argv[1:2] == ["env"]:  # a folder of that name is ./env
        env(sys.argv[2:], prog_name="python -m codemods.verify env")
    else:
        main()
