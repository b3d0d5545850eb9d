"""Composition: which model stands inside another, where a configuration chooses it.

``AutoModel.from_config(config.text_config)`` makes what the library's table names for the type of that
part of the configuration. Everything is read as text: the configuration class of a model, the parts that
it declares and what they are by default, and the library's own tables. A part may be configured to be
something else; what it is by default stands for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codemods.maskflow.evaluation.frame import last_name
from codemods.maskflow.program.definitions import Assignment, Class, Function, Module
from codemods.maskflow.program.hierarchy import Hierarchy, is_library_init

# The attributes in which a configuration class declares its parts: until 4.x, and since 5.x.
_DECLARATIONS = ("sub_configs", "sub_configs_defaults")

# A part that may be of any type: what it is by default is said elsewhere.
_ANY = "AutoConfig"

# Configurations by model type; what builds one of a type that is written or chosen.
_MAPPING = "CONFIG_MAPPING"

_MODEL_TYPE = "model_type"


class Composition:
    """Answers which configuration and which model class a part of a model has; each once."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self.index = hierarchy.index
        self._configurations: dict[Class, Class | None] = {}
        self._declared: dict[Class, dict[str, ast.expr]] = {}
        self._parts: dict[tuple[Class, str], Class | None] = {}
        self._tables: dict[tuple[Module, str], dict[str, str]] = {}

    def configuration(self, model: Class) -> Class | None:
        """Return the class of a model's configuration: what its ``__init__`` says, or its class."""
        if model not in self._configurations:
            self._configurations[model] = self._annotated(model) or self._assigned(model)
        return self._configurations[model]

    def _annotated(self, model: Class) -> Class | None:
        init = self.hierarchy.find(model, "__init__")
        if not isinstance(init, Function) or init.owner is None or is_library_init(init):
            return None
        annotation = next((each.annotation for each in init.node.args.args if each.arg == "config"), None)
        return self._class(init.module, annotation)

    def _assigned(self, model: Class) -> Class | None:
        owner, written = self.hierarchy.find_with_owner(model, "config_class")
        return self._class(owner.module, written) if owner and isinstance(written, ast.expr) else None

    def parts(self, configuration: Class) -> dict[str, ast.expr]:
        """Return what a configuration class declares its parts to be, by name."""
        if configuration not in self._declared:
            self._declared[configuration] = {
                key.value: value
                for name in _DECLARATIONS
                if isinstance(written := self.hierarchy.find(configuration, name), ast.Dict)
                for key, value in zip(written.keys, written.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
        return self._declared[configuration]

    def part(self, configuration: Class, name: str) -> Class | None:
        """Return the class of a part of a configuration, as it is by default; None if that is not told."""
        key = (configuration, name)
        if key not in self._parts:
            declared = self.parts(configuration).get(name)
            self._parts[key] = self._declared_part(configuration, declared) or self._made(configuration, name)
        return self._parts[key]

    def _declared_part(self, configuration: Class, declared: ast.expr | None) -> Class | None:
        if isinstance(declared, ast.Call):  # a class, a type, and values for it
            said = {keyword.arg: keyword.value for keyword in declared.keywords}
            of_type = said.get(_MODEL_TYPE)
            if isinstance(of_type, ast.Constant):
                return self._of_type(configuration, str(of_type.value))
            declared = said.get("config_class") or next(iter(declared.args), None)
        return self._class(configuration.module, declared)

    def _made(self, configuration: Class, name: str) -> Class | None:
        """Return what the configuration makes of a part that it is not given."""
        for each in ("__init__", "__post_init__"):
            function = self.hierarchy.find(configuration, each)
            if not isinstance(function, Function) or not function.mentions(name):
                continue
            for made in _makers(function.node, name):
                types = _types(made, function.node) if isinstance(made, ast.Subscript) else ()
                found = next((self._of_type(configuration, each) for each in types), None)
                found = found or self._class(function.module, made)
                if found is not None:
                    return found
        return None

    def _class(self, module: Module, written: ast.expr | None) -> Class | None:
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            found = self.index.resolve_dotted(module, written.value)
        else:
            found = self.index.resolve_dotted(module, written) if written is not None else None
        return found if isinstance(found, Class) and found.name != _ANY else None

    # -- the library's tables --------------------------------------------------------------------

    def model(self, auto: str, configuration: Class) -> Class | None:
        """Return the class that ``auto``, such as ``AutoModel``, makes of a configuration."""
        tables = self._auto_module(configuration, "modeling_auto")
        model_type = self.hierarchy.find(configuration, _MODEL_TYPE)
        if tables is None or not isinstance(model_type, ast.Constant):
            return None
        name = self._table(tables, _table_of(tables, auto)).get(str(model_type.value))
        package, _, own = configuration.module.name.rpartition(".")
        models = self.index.module(
            f"{package}.{own.replace('configuration_', 'modeling_')}", configuration.module
        )
        found = self.index.resolve(models, name) if models is not None and name else None
        return found if isinstance(found, Class) else None

    def _of_type(self, near: Class, model_type: str) -> Class | None:
        """Return the configuration class of a model type, in the library that ``near`` belongs to."""
        folder = model_type.replace("-", "_")
        for tables in ("configuration_auto", "auto_mappings"):
            module = self._auto_module(near, tables)
            special = self._table(module, "SPECIAL_MODEL_TYPE_TO_MODULE_NAME") if module else {}
            folder = special.get(model_type, folder)
        module = self.index.module(f"{_models(near)}.{folder}.configuration_{folder}", near.module)
        for each in self.hierarchy.classes(module) if module is not None else ():
            said = each.member(_MODEL_TYPE)
            if isinstance(said, ast.Constant) and said.value == model_type:
                return each
        return None

    def _auto_module(self, near: Class, name: str) -> Module | None:
        return self.index.module(f"{_models(near)}.auto.{name}", near.module)

    def _table(self, module: Module, name: str) -> dict[str, str]:
        """Return the pairs of names in a table of a module; of several values for a key, the first."""
        key = (module, name)
        if key not in self._tables:
            bound = module.bindings.get(name)
            written = bound.value if isinstance(bound, Assignment) else ast.Constant(None)
            self._tables[key] = dict(_pairs(written))
        return self._tables[key]


def _models(near: Class) -> str:
    """Return the package that holds a folder for each model."""
    return near.module.name.rpartition(".")[0].rpartition(".")[0]


def _table_of(module: Module, auto: str) -> str:
    """Return the name of the table behind an Auto class, whose statements stand in the text of ``module``."""
    text = module.source.text
    mapping = re.search(
        rf"^class {auto}\(.*\):\n(?:(?!class ).*\n)*? +_model_mapping = (\w+)", text, re.MULTILINE
    )
    table = mapping and re.search(rf"^{mapping[1]} = \w+\(\w+, (\w+)\)", text, re.MULTILINE)
    return table[1] if table else ""


def _pairs(table: ast.expr) -> Iterator[tuple[str, str]]:
    for pair in ast.walk(table):
        if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
            key, value = pair.elts
            value = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                yield str(key.value), str(value.value)


def _makers(function: ast.AST, name: str) -> Iterator[ast.expr]:
    """Yield what is called where ``name`` or ``self.name`` is assigned: a class, or an item of the table."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        made = node.value.func
        by_type = isinstance(made, ast.Subscript) and last_name(made.value) == _MAPPING
        if name in map(last_name, node.targets) and (by_type or last_name(made).endswith("Config")):
            yield made


def _types(item: ast.Subscript, function: ast.AST) -> Iterator[str]:
    """Yield the model types that are written where the table is asked for one."""
    asked: list[ast.AST] = [item.slice]
    if isinstance(item.slice, ast.Name):
        asked = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == item.slice.id
        ]
    for each in asked:
        for node in ast.walk(each):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != _MODEL_TYPE:
                yield node.value
