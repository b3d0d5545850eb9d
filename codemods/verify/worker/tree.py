"""The checked tree as an imported package: its classes, its paths, its places in a traceback."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .claims import ClaimsInText
from .tiny import FAILURES

# The auto mappings whose classes are verified, in the order of the report. The names are those of
# ``models/auto/modeling_auto.py``; older and newer trees lack some.
_LANGUAGE_HEADS = (
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
)
_BARE = "MODEL_MAPPING_NAMES"
_TASK_HEADS = (
    "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES",
)


# What the modules of many models import, and what that brings along; some trees lack some.
_SHARED = (
    "generation.utils",
    "image_processing_backends",
    "image_processing_utils",
    "masking_utils",
    "modeling_layers",
    "models.auto.tokenization_auto",
    "processing_utils",
    "tokenization_utils_tokenizers",
    "video_processing_utils",
)


class Unusable(Exception):
    """The tree cannot be imported here; the message is one line that says what is missing."""


class Candidate(NamedTuple):
    """A model class that the auto mappings name; nothing is known of its claims yet.

    Attributes:
        extra: whether it is run only when asked for: a task head, or a bare model beside its heads.
    """

    model_type: str
    class_name: str
    extra: bool = False


class Tree:
    """An imported transformers-like package."""

    def __init__(self, root: str, package: str):
        """Import ``package``, found in the directory ``root``.

        Raises:
            Unusable: if the import fails.
        """
        self.root = Path(root).resolve()
        self.name = package
        sys.path.insert(0, root)
        self.package = _import(package)
        _import(f"{package}.modeling_utils")
        self._configurations = _import(f"{package}.models.auto.configuration_auto")
        self._models = _import(f"{package}.models.auto.modeling_auto")
        self.version = str(getattr(self.package, "__version__", "unknown"))

    def config_class(self, candidate: Candidate) -> Any:
        """Import and return the configuration class of a candidate's model type.

        ``CONFIG_MAPPING`` itself is not asked: it looks in a package called ``transformers``,
        whatever the tree is called.

        Raises:
            ImportError: if its module cannot be imported.
        """
        name = self._configurations.CONFIG_MAPPING_NAMES[candidate.model_type]
        return self._find(candidate.model_type, name)

    def configured(self) -> dict[str, Any]:
        """Return what the tree itself sets in its models' configuration: a whole package nothing."""
        return {}

    def import_shared(self) -> None:
        """Import what all models import anyway, so that it is done once and not for each."""
        for name in _SHARED:
            with contextlib.suppress(Exception):
                importlib.import_module(f"{self.name}.{name}")

    def may_claim(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates whose text does not rule out that they claim flex attention."""
        models = Path(self.package.__path__[0], "models")
        read = ClaimsInText(
            models, [m for m in self.modules() if not m.__name__.startswith(f"{self.name}.models.")]
        )
        return [candidate for candidate in candidates if read.possible(self.folder(candidate.model_type))]

    def silence(self) -> None:
        """Let the tree's log tell errors only."""
        importlib.import_module(f"{self.name}.utils.logging").set_verbosity_error()

    def candidates(self) -> list[Candidate]:
        """Return the classes the auto mappings name, each once, under its own model type."""
        heads = self._named(_LANGUAGE_HEADS)
        with_head = {model_type for types in heads.values() for model_type in types}
        bare = self._named([_BARE])
        found = {name: Candidate(_own_type(name, types), name) for name, types in heads.items()}
        for name, types in bare.items():
            found.setdefault(name, Candidate(_own_type(name, types), name, bool(with_head & {*types})))
        for name, types in self._named(_TASK_HEADS).items():
            found.setdefault(name, Candidate(_own_type(name, types), name, True))
        return list(found.values())

    def _named(self, mappings: Iterable[str]) -> dict[str, list[str]]:
        """Return class name -> its model types, for some of the auto mappings."""
        found: dict[str, list[str]] = {}
        for mapping in mappings:
            for model_type, names in getattr(self._models, mapping, {}).items():
                for name in (names,) if isinstance(names, str) else names:
                    found.setdefault(name, []).append(model_type)
        return found

    def folder(self, model_type: str) -> str:
        """Return the name of the folder under ``models/`` that holds a model type."""
        return str(self._configurations.model_type_to_module_name(model_type))

    def model_class(self, candidate: Candidate) -> Any:
        """Import and return a candidate's class.

        Raises:
            ImportError: if its module cannot be imported.
        """
        return self._find(candidate.model_type, candidate.class_name)

    def _find(self, model_type: str, name: str) -> Any:
        module = importlib.import_module(f"{self.name}.models.{self.folder(model_type)}")
        found = getattr(module, name, None) or getattr(self.package, name, None)
        if found is None:
            raise ImportError(f"the tree has no {name}")
        return found

    def modules(self) -> Iterator[Any]:
        """Yield the modules of the tree that are imported by now."""
        for name, module in list(sys.modules.items()):
            if module is not None and name.startswith(self.name + "."):
                yield module

    def site(self, error: BaseException) -> str | None:
        """Return ``path:line function`` of the deepest frame inside the tree, or None."""
        site = None
        for frame in traceback.extract_tb(error.__traceback__):
            # Links are not followed: in the Hub's cache they lead to files without a name.
            with contextlib.suppress(ValueError):
                path = Path(os.path.abspath(frame.filename)).relative_to(self.root)  # noqa: PTH100
                if self._is_own(path.parts):
                    site = f"{path.as_posix()}:{frame.lineno} {frame.name}"
        return site

    def _is_own(self, parts: tuple[str, ...]) -> bool:
        """Say whether a file below the root is part of the tree."""
        return parts[0] == self.name.split(".")[0]


def _own_type(class_name: str, model_types: list[str]) -> str:
    """Of the types that share a class, return the one the class is named after (else the first)."""
    for model_type in model_types:
        if class_name.lower().startswith(re.sub(r"[^a-z0-9]", "", model_type.lower())):
            return model_type
    return model_types[0]


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except FAILURES as error:
        raise Unusable(requirement_line(error)) from error


def requirement_line(error: BaseException) -> str:
    """Say in one line which requirement an import failed on."""
    chain = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)  # type: ignore[arg-type]
    imports = [link for link in chain if isinstance(link, ImportError)]
    root = imports[-1] if imports else chain[-1]
    text = " ".join(str(root).split())
    if type(root) is ModuleNotFoundError and root.name:
        return f"the package {root.name!r} is not installed"
    if isinstance(root, ImportError):
        return text.split(" Try: ")[0][:300]
    return f"{type(root).__name__}: {text}"[:300]
