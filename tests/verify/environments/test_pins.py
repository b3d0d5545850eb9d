from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from codemods.verify.environments.pins import Pins, pins_of
from codemods.verify.locate import locate


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return folder


TABLE = """
    deps = {
        "accelerate": "accelerate>=0.26.0",
        "numpy": "numpy>=1.17",
        "python": "python>=3.9.0",
        "tokenizers": "tokenizers>=0.21,<0.22",
        "torch": "torch>=2.0",
        "torchvision": "torchvision",
    }
"""
CHECK = """
    pkgs_to_check_at_runtime = ["python", "numpy", "tokenizers", "accelerate", "not-in-the-table"]
"""
PACKAGE = {
    "fork/__init__.py": "raise SystemExit('it was run')",
    "fork/models/auto/modeling_auto.py": "",
    "fork/dependency_versions_table.py": TABLE,
    "fork/dependency_versions_check.py": CHECK,
}


def test_a_package_with_a_table_of_versions(tmp_path: Path) -> None:
    tree = write(tmp_path, PACKAGE)
    expected = Pins(("numpy>=1.17", "tokenizers>=0.21,<0.22"), "torch>=2.0", ">=3.9.0")
    assert pins_of(locate(tree / "fork")) == expected


def test_an_unpacked_wheel_says_it_itself(tmp_path: Path) -> None:
    metadata = """\
        Metadata-Version: 2.1
        Name: fork
        Requires-Python: >=3.11
        Requires-Dist: numpy (>=1.17)
        Requires-Dist: typer
        Requires-Dist: torch>=2.6; extra == "torch"
        Requires-Dist: black; extra == "dev"

        Requires-Dist: this is the description
    """
    files = {"fork/__init__.py": "", "fork/models/auto/modeling_auto.py": ""}
    tree = write(tmp_path, {**files, "fork-1.0.dist-info/METADATA": metadata})
    assert pins_of(locate(tree)) == Pins(("numpy (>=1.17)", "typer"), "torch>=2.6", ">=3.11")


def test_a_checkout_says_it_in_pyproject(tmp_path: Path) -> None:
    project = """
        [project]
        requires-python = ">=3.10"
        dependencies = ["torch==2.7.1", "regex", "torchvision>=0.20"]
    """
    tree = write(tmp_path, {f"src/{name}": text for name, text in PACKAGE.items()})
    write(tree, {"pyproject.toml": project})
    assert pins_of(locate(tree)) == Pins(("regex",), "torch==2.7.1", ">=3.10")


def test_a_pyproject_that_is_only_for_tools_says_nothing(tmp_path: Path) -> None:
    tree = write(tmp_path, {**PACKAGE, "pyproject.toml": "[tool.ruff]\nline-length = 119\n"})
    assert "numpy>=1.17" in pins_of(locate(tree / "fork")).packages


def test_a_setup_that_is_read_and_never_run(tmp_path: Path) -> None:
    setup = """
        raise SystemExit("it was run")
        install_requires = [deps["numpy"], "regex!=2019.12.17", deps["unknown"], *more]
    """
    tree = write(tmp_path, {**PACKAGE, "setup.py": setup})
    assert pins_of(locate(tree / "fork")).packages == ("numpy>=1.17", "regex!=2019.12.17")


def test_a_package_that_says_nothing_needs_torch(tmp_path: Path) -> None:
    tree = write(tmp_path, {"fork/__init__.py": "", "fork/models/auto/modeling_auto.py": ""})
    assert pins_of(locate(tree)) == Pins(())


@pytest.mark.parametrize(
    ("config", "library"),
    [
        ('{"transformers_version": "4.51.3"}', "transformers==4.51.3"),
        ('{"transformers_version": "4.52.0.dev0"}', "transformers"),
        ('{"transformers_version": null}', "transformers"),
        ("[]", "transformers"),
        ("not JSON", "transformers"),
    ],
)
def test_a_folder_from_the_hub_wants_the_library_that_wrote_it(
    tmp_path: Path, config: str, library: str
) -> None:
    folder = write(tmp_path, {"modeling_x.py": "", "config.json": config})
    assert pins_of(locate(folder)) == Pins((library,))


def test_a_folder_from_the_hub_with_requirements(tmp_path: Path) -> None:
    requirements = """
        # what it needs
        transformers>=4.51  # not older
        einops
        torch>=2.6
    """
    folder = write(tmp_path, {"modeling_x.py": "", "requirements.txt": requirements})
    assert pins_of(locate(folder)) == Pins(("einops", "transformers>=4.51"), "torch>=2.6")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "-e .",
        "tool @ https://example.org/tool.whl",
        "https://example.org/tool.whl",
        "./local",
    ],
)
def test_what_is_no_plain_requirement_is_left_out(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, {"modeling_x.py": "", "requirements.txt": f"einops\n{line}\n"})
    pins = pins_of(locate(folder))
    assert pins.packages == ("einops", "transformers")
    assert pins.left_out == (line,)


def test_a_python_that_is_too_old() -> None:
    assert not Pins((), python=">=3.11.0").admits((3, 10, 4))
    assert Pins((), python=">=3.11.0").admits((3, 11, 0))
    assert Pins(()).admits((3, 10, 0))
