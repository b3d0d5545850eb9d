"""Model code that stands alone: from the Hub, vendored, or one file; it imports an installed library."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .tiny import FAILURES
from .tree import Candidate, Tree, Unusable, requirement_line

# What a folder that is no package is imported as; its own name may be one that is taken.
_LOOSE = "_standalone"
_LANGUAGE_HEAD = re.compile(r".*(ForCausalLM|LMHeadModel|ForConditionalGeneration|ForMaskedLM)")
_TASK_HEAD = re.compile(r".*For[A-Z]\w+")
_BASE = ("PreTrainedModel", "PretrainedModel")
# The entries of ``auto_map`` that stand for a language-model head.
_AUTO_HEADS = (
    "AutoModelForCausalLM",
    "AutoModelForImageTextToText",
    "AutoModelForSeq2SeqLM",
    "AutoModelForMaskedLM",
)
# What ``config.json`` says of the weights and the files, not of the model.
_NOT_THE_MODEL = (
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "model_type",
    "quantization_config",
    "torch_dtype",
    "transformers_version",
)


class Standalone(Tree):
    """Modules that define models; the classes in them are what is verified."""

    def __init__(self, root: str, package: str, modules: list[str], loose: bool):
        """Import ``modules``, found in the directory ``root`` or, when loose, as parts of it.

        Raises:
            Unusable: if none of them can be imported.
        """
        self.root = Path(root).resolve()
        self.name = package
        self._loose = loose
        self._config_json = _read_json(self.root / "config.json") if loose else {}
        self._modules: list[Any] = []
        self._failed: dict[str, BaseException] = {}
        self._package = _LOOSE if loose else package
        if loose:
            _register(root)
            sys.path.append(root)  # for files that import their neighbors without a dot
            modules = [f"{_LOOSE}.{name}" for name in modules]
        else:
            sys.path.insert(0, root)
        for name in modules:
            try:
                self._modules.append(importlib.import_module(name))
            except FAILURES as error:
                self._failed[name] = error
        if not self._modules:
            raise Unusable(requirement_line(self._failed[modules[0]]))
        self.version = self._library_version()

    def candidates(self) -> list[Candidate]:
        """Return the model classes that the modules define, and each module that cannot be imported."""
        found = [Candidate(name.split(".")[-1], name) for name in self._failed]
        model_type = self._config_json.get("model_type")
        for module in self._modules:
            classes = list(_model_classes(module))
            heads = {cls.__name__ for cls in classes if self._is_head(cls.__name__)}
            for cls in classes:
                extra = cls.__name__ not in heads if heads else bool(_TASK_HEAD.fullmatch(cls.__name__))
                named = _model_type(cls) or model_type or module.__name__.split(".")[-1]
                found.append(Candidate(named, cls.__name__, extra))
        return list({candidate.class_name: candidate for candidate in found}.values())

    def model_class(self, candidate: Candidate) -> Any:
        """Return a candidate's class.

        Raises:
            Exception: what importing its module raised.
        """
        if candidate.class_name in self._failed:
            raise self._failed[candidate.class_name]
        return next(
            vars(module)[candidate.class_name]
            for module in self._modules
            if inspect.isclass(vars(module).get(candidate.class_name))
        )

    def config_class(self, candidate: Candidate) -> Any:
        """Return the configuration class that ``auto_map`` names.

        Raises:
            ImportError: if there is none.
        """
        where, _, name = str(self._config_json.get("auto_map", {}).get("AutoConfig", "")).rpartition(".")
        if not where:
            raise ImportError(f"{candidate.class_name} says nowhere which configuration it has")
        return getattr(importlib.import_module(f"{self._package}.{where}"), name)

    def configured(self) -> dict[str, Any]:
        """Return what ``config.json`` says of the model."""
        return {name: value for name, value in self._config_json.items() if name not in _NOT_THE_MODEL}

    def folder(self, model_type: str) -> str:
        """Return the model type: there are no folders here."""
        return model_type

    def modules(self) -> Iterator[Any]:
        """Yield the imported modules of the code, and those of the library that it builds on."""
        libraries = {self._package.split(".")[0], *self._libraries()}
        for name, module in list(sys.modules.items()):
            if module is not None and name.split(".")[0] in libraries:
                yield module

    def import_shared(self) -> None:
        """Do nothing: the modules have imported what they need."""

    def site(self, error: BaseException) -> str | None:
        """Return the deepest frame inside the code or, where there is none, inside its library."""
        own = super().site(error)
        if own is not None:
            return own
        site = None
        for frame in traceback.extract_tb(error.__traceback__):
            for library in self._libraries():
                folder = Path(sys.modules[library].__file__ or "").parent
                with contextlib.suppress(ValueError):
                    path = Path(frame.filename).relative_to(folder.parent)
                    if path.parts[0] == library:
                        site = f"{path.as_posix()}:{frame.lineno} {frame.name}"
        return site

    def may_claim(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return all of them: their modules are imported by now."""
        return candidates

    def silence(self) -> None:
        """Let the library's log tell errors only."""
        for library in self._libraries():
            logging = sys.modules.get(f"{library}.utils.logging")
            if logging is not None:
                logging.set_verbosity_error()

    def _is_head(self, class_name: str) -> bool:
        named = self._config_json.get("auto_map", {})
        if any(str(named.get(auto, "")).split(".")[-1] == class_name for auto in _AUTO_HEADS):
            return True
        return bool(_LANGUAGE_HEAD.fullmatch(class_name))

    def _libraries(self) -> list[str]:
        """Return the names of the packages whose model classes the code builds on."""
        bases = [
            base.__module__.split(".")[0]
            for module in self._modules
            for cls in _model_classes(module)
            for base in cls.__mro__
            if "_from_config" in vars(base)
        ]
        return list(dict.fromkeys(bases))

    def _library_version(self) -> str:
        return ", ".join(
            f"with {name} {getattr(sys.modules[name], '__version__', 'unknown')}"
            for name in self._libraries()
        )

    def _is_own(self, parts: tuple[str, ...]) -> bool:
        return "site-packages" not in parts if self._loose else super()._is_own(parts)


def _register(folder: str) -> None:
    """Let a folder, whatever it is called, be imported from as a package."""
    spec = importlib.util.spec_from_loader(_LOOSE, loader=None, is_package=True)
    assert spec is not None
    spec.submodule_search_locations = [folder]
    sys.modules[_LOOSE] = importlib.util.module_from_spec(spec)


def _model_classes(module: Any) -> Iterator[Any]:
    for value in vars(module).values():
        if not inspect.isclass(value) or value.__module__ != module.__name__:
            continue
        is_model = hasattr(value, "_from_config") and hasattr(value, "forward")
        if is_model and not value.__name__.endswith(_BASE):
            yield value


def _model_type(model_class: Any) -> str:
    return str(getattr(getattr(model_class, "config_class", None), "model_type", None) or "")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
