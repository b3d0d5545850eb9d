"""``python -m codemods.verify``."""

from codemods.source.import_path import forget_working_directory

forget_working_directory()

import sys  # noqa: E402 - not before the import path is safe

try:
    if sys.argv[1:2] == ["env"]:  # a folder of that name is ./env
        from codemods.verify.environments.cli import env

        env(sys.argv[2:], prog_name="python -m codemods.verify env")
    else:
        from codemods.verify.cli import main

        main()
except KeyboardInterrupt:  # while the above was imported
    sys.exit(130)
