"""Which code a path means: a whole package, one of its models, or model code that stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from codemods.source.discover import discover
from codemods.verify.problem import CannotVerify

_MARK = Path("models", "auto", "modeling_auto.py")
# What a file that defines models says somewhere: the base class it imports, or a claim.
_DEFINES_MODELS = re.compile(rb"PreTrainedModel\b|\b_supports_flex_attn\b")
# Sources that files of the same folder are generated from, and tests: not what users import.
_NOT_IMPORTED = re.compile(r"(modular|test)_.*|conftest\.py|setup\.py")


class NoTree(CannotVerify):
    """The path leads to no code that could be verified; the message is one line for the user."""


class Target(Struct, frozen=True):
    """What to verify.

    Attributes:
        root: the directory from which the code is imported.
        package: the dotted name of the package there.
        folders: the folders below ``models/`` to stay in, dotted; none for the whole package.
        modules: for code that stands alone, the dotted names of the modules that define its models;
            none for a package with ``models/auto/``, which names them itself.
        loose: whether the modules lie in no package: ``root``, whose name ``package`` then is, may be
            called what no package can.
    """

    root: Path
    package: str
    folders: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    loose: bool = False


def locate(path: Path) -> Target:
    """Find the code that ``path`` means.

    The path may be a transformers-like package's folder, the folder above it, a checkout with
    ``src/``, or anything inside the package; inside ``models/<name>`` only that model is meant.
    Elsewhere it is a file that defines models, or a folder with such files: from the Hub, or vendored.

    Raises:
        NoTree: if there is no such path or no model code at it, or if several are equally near.
    """
    if not path.exists():
        raise NoTree(f"{path.absolute()}: no such file or directory")
    # Of a file only the folder: in the Hub's cache the file itself is a link to one without a name.
    path = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    for ancestor in (path, *path.parents):
        if (ancestor / _MARK).is_file():
            return _whole(ancestor, _model_folder(path, ancestor))
    found = [mark.parents[2] for place in ("*", "src/*") for mark in sorted(path.glob(f"{place}/{_MARK}"))]
    if len(found) > 1:
        raise _several(path, found)
    return _whole(found[0], None) if found else _standalone(path)


def narrowed(target: Target, files: Iterable[Path]) -> Target:
    """Stay in the models that ``files`` are part of; all of them where one is shared, or where none is named.

    Code that stands alone is not narrowed: its models are few.
    """
    package = target.root.joinpath(*target.package.split("."))
    folders = {_model_folder(file.resolve(), package) for file in files}
    if target.modules or not folders or None in folders:
        return target
    return replace(target, folders=tuple(sorted(folder for folder in folders if folder)))


def _whole(package: Path, folder: str | None) -> Target:
    """Return the target for a package's folder; packages around it become part of its name."""
    root = _import_root(package)
    return Target(root, ".".join(package.relative_to(root).parts), (folder,) if folder else ())


def _model_folder(path: Path, package: Path) -> str | None:
    """Return the model's folder below ``models/`` that a path lies in, dotted, or None."""
    inside = path.relative_to(package).parts if path.is_relative_to(package) else ()
    if inside[:1] != ("models",):
        return None
    folders = inside[1:] if path.is_dir() else inside[1:-1]
    name = ".".join(folders[:2] if folders[:1] == ("deprecated",) else folders[:1])
    return None if name in ("", "auto") else name


def _standalone(path: Path) -> Target:
    """Return the target for files that define models and come without a whole package."""
    if not path.is_dir() and path.suffix != ".py":
        raise NoTree(f"{path}: not a Python file")
    files = _files_with_models(path) if path.is_dir() else [path]
    if not files:
        raise NoTree(
            f"{path}: no model code here: neither a package with {_MARK.as_posix()} (here, above, or in"
            " src/) nor a file that defines models"
        )
    folders = {file.parent for file in files}
    packages = {_top_package(file) for file in files if _is_package(file.parent)}
    if len(packages) == 1 and all(map(_is_package, folders)):
        (package,) = packages
        return Target(package.parent, package.name, modules=_dotted(files, package.parent))
    root = path if path in folders else min(folders)
    if path not in folders and len(folders | packages) > 1:
        raise _several(path, packages | {folder for folder in folders if not _is_package(folder)})
    return Target(root, root.name, modules=_dotted(files, root), loose=True)


def _files_with_models(folder: Path) -> list[Path]:
    """Return the files below ``folder`` that define models, links out of it (the Hub's cache) too."""
    found = discover([folder])
    return [
        file
        for file in sorted([*found.files, *found.outside])
        if not _NOT_IMPORTED.fullmatch(file.name)
        and (file.name.startswith("modeling") or _DEFINES_MODELS.search(file.read_bytes()))
    ]


def _dotted(files: Iterable[Path], root: Path) -> tuple[str, ...]:
    names = (file.relative_to(root).with_suffix("").parts for file in files)
    return tuple(".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in names)


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _import_root(package: Path) -> Path:
    """Return the directory that a package is imported from."""
    return _top_package(package).parent


def _top_package(inside: Path) -> Path:
    """Return the outermost package that a file or package is in, itself included."""
    top = inside
    while _is_package(top.parent):
        top = top.parent
    return top


def _several(path: Path, packages: Iterable[Path]) -> NoTree:
    names = ", ".join(sorted(package.relative_to(path).as_posix() for package in packages))
    return NoTree(f"{path}: several packages here ({names}); name one")
