"""Expressions: what they may evaluate to, and what a test tells about the names in it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Protocol

from codemods.maskflow import known, surface
from codemods.maskflow.arguments import Arguments, expand_double_star, expand_star
from codemods.maskflow.frame import Environment, Frame, join
from codemods.maskflow.hierarchy import Hierarchy
from codemods.maskflow.index import Assignment, Class, Function, Index
from codemods.maskflow.narrowing import (
    Answers,
    has_dimensions,
    is_constant,
    is_instance,
    is_one_of,
    is_truthy,
    split,
)
from codemods.maskflow.values import (
    BLOCK,
    CONFIG,
    FALSE,
    NOTHING,
    TRUE,
    UNKNOWN,
    Atom,
    AttentionInterface,
    Block,
    Bound,
    ClassRef,
    Closure,
    Config,
    Const,
    Dict,
    Instance,
    List,
    Method,
    ModuleRef,
    Outside,
    Partial,
    Super,
    Tensor,
    Tuple,
    Unknown,
    Value,
    const,
    elements,
    has_block,
    is_block,
    origins,
    reference,
    truth,
    union,
)

_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Invert: "~",
    ast.USub: "-",
    ast.UAdd: "+",
}

Branches = tuple[Environment | None, Environment | None]


class Calls(Protocol):
    """How the evaluator reaches into other functions and classes of the tree."""

    def invoke(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        node: ast.AST,
        frame: Frame,
    ) -> Value:
        """Return what a call of a function of the tree may return."""

    def invoke_closure(self, closure: Closure, given: Arguments) -> Value:
        """Return what a call of a nested function may return."""

    def instantiate(self, cls: Class, given: Arguments, frame: Frame) -> Value:
        """Return the object that a call of a class of the tree makes."""

    def module_value(self, assignment: Assignment) -> Value:
        """Return what a module-level name holds."""

    def class_value(self, owner: Class, node: ast.expr) -> Value:
        """Return what a class attribute holds."""


class Evaluator:
    """Evaluates expressions in a :class:`Frame`."""

    def __init__(self, index: Index, hierarchy: Hierarchy, calls: Calls) -> None:
        self.index = index
        self.hierarchy = hierarchy
        self.calls = calls
        self._handlers: dict[type[ast.expr], Callable[..., Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.BoolOp: self._bool,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.Compare: self._compare,
            ast.IfExp: self._conditional,
            ast.NamedExpr: self._walrus,
            ast.Tuple: self._tuple,
            ast.List: self._list,
            ast.Set: self._list,
            ast.Dict: self._dict,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._dict_comprehension,
            ast.Lambda: self.closure,
            ast.Starred: self._starred,
            ast.Await: self._starred,
            ast.Yield: self._yield,
            ast.YieldFrom: self._starred,
        }

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """Return what ``node`` may be; operations that a BlockMask cannot answer become sites."""
        handler = self._handlers.get(type(node))
        if handler is not None:
            return handler(node, frame)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)
        return UNKNOWN

    # -- names and targets ---------------------------------------------------------------------

    def bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Assign ``value`` to a name, attribute, subscript or (nested) tuple of them."""
        if isinstance(target, ast.Name):
            frame.env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, frame)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, frozenset({List(elements(value))}), frame)
        elif isinstance(target, ast.Attribute):
            for atom in self.evaluate(target.value, frame):
                if isinstance(atom, Instance):
                    held = atom.attributes.get(target.attr, NOTHING)
                    atom.attributes[target.attr] = union(held, value)
        elif isinstance(target, ast.Subscript):
            self._set_item(target, value, frame)

    def _unpack(self, targets: list[ast.expr], value: Value, frame: Frame) -> None:
        if is_block(value):
            frame.site(targets[0], targets[0], "unpacking a BlockMask never ends", certain=Block() in value)
        tuples = [atom for atom in value if isinstance(atom, Tuple) and len(atom.items) == len(targets)]
        others = frozenset(atom for atom in value if not isinstance(atom, Tuple))
        rest = elements(others) if others else NOTHING
        plain = not any(isinstance(target, ast.Starred) for target in targets)
        for at, target in enumerate(targets):
            if plain and tuples:
                self.bind(target, union(*(held.items[at] for held in tuples), rest), frame)
            else:
                self.bind(target, elements(value), frame)

    def _set_item(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        held = self.evaluate(target.value, frame)
        key = self.evaluate(target.slice, frame)
        if is_block(held):
            frame.site(
                target,
                target.value,
                "a BlockMask cannot be assigned to by index",
                certain=Block() in held,
            )
        keys = [atom.value for atom in key if isinstance(atom, Const)]
        changed: set[Atom] = set()
        for atom in held:
            if isinstance(atom, Dict) and len(keys) == 1 and len(key) == 1:
                changed.add(atom.with_item(keys[0], value))
            elif isinstance(atom, Dict):
                changed.add(Dict(atom.items, union(atom.rest, value)))
            elif isinstance(atom, List):
                changed.add(List(union(atom.element, value)))
            else:
                changed.add(atom)
        self._rebind(target.value, frozenset(changed), frame)

    def _rebind(self, owner: ast.expr, value: Value, frame: Frame) -> None:
        if isinstance(owner, (ast.Name, ast.Attribute)):
            self.bind(owner, value, frame)

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        local = frame.lookup(node.id)
        if local is not None:
            return local
        if node.id in known.ATTENTION_TABLES:
            return frozenset({AttentionInterface(node.id == known.MASK_TABLE)})
        found = self.index.resolve(frame.module, node.id)
        if found is None:
            return frozenset({Outside(f"builtins.{node.id}")})
        if isinstance(found, Assignment):
            return self.calls.module_value(found)
        return frozenset({reference(found)})

    def imported(self, node: ast.Import | ast.ImportFrom, alias: ast.alias, frame: Frame) -> Value:
        """Return what an import inside a function binds."""
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            return frozenset({Outside(f"{node.module}.{alias.name}")})
        return UNKNOWN

    # -- literals ------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant, frame: Frame) -> Value:
        return const(node.value)

    def _tuple(self, node: ast.Tuple, frame: Frame) -> Value:
        if any(isinstance(element, ast.Starred) for element in node.elts):
            return frozenset({List(union(*(self._flattened(element, frame) for element in node.elts)))})
        return frozenset({Tuple(tuple(self.evaluate(element, frame) for element in node.elts))})

    def _list(self, node: ast.List | ast.Set, frame: Frame) -> Value:
        return frozenset({List(union(*(self._flattened(element, frame) for element in node.elts)))})

    def _flattened(self, node: ast.expr, frame: Frame) -> Value:
        if isinstance(node, ast.Starred):
            return elements(self.evaluate(node.value, frame))
        return self.evaluate(node, frame)

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        made = Dict(())
        for key, value in zip(node.keys, node.values, strict=True):
            held = self.evaluate(value, frame)
            if key is None:
                items, rest = expand_double_star(held)
                for name, item in items:
                    made = made.with_item(name, item)
                made = Dict(made.items, union(made.rest, rest))
                continue
            keys = self.evaluate(key, frame)
            if len(keys) == 1 and isinstance(atom := next(iter(keys)), Const):
                made = made.with_item(atom.value, held)
            else:
                made = Dict(made.items, union(made.rest, held))
        return frozenset({made})

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame) -> Value:
        held = self._comprehended(node.generators, node.elt, frame)
        return frozenset({List(held)})

    def _dict_comprehension(self, node: ast.DictComp, frame: Frame) -> Value:
        return frozenset({Dict((), self._comprehended(node.generators, node.value, frame))})

    def _comprehended(self, generators: list[ast.comprehension], element: ast.expr, frame: Frame) -> Value:
        outside = frame.env
        frame.env = dict(outside)
        try:
            for generator in generators:
                self.bind(generator.target, elements(self.evaluate(generator.iter, frame)), frame)
                for condition in generator.ifs:
                    holds, _ = self.branch(condition, frame)
                    if holds is None:
                        return NOTHING
                    frame.env = holds
            return self.evaluate(element, frame)
        finally:
            frame.env = outside

    def closure(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame) -> Value:
        """Return a nested function as an object."""
        return frozenset({Closure(node, frame)})

    def _starred(self, node: ast.Starred | ast.Await | ast.YieldFrom, frame: Frame) -> Value:
        return self.evaluate(node.value, frame)

    def _yield(self, node: ast.Yield, frame: Frame) -> Value:
        if node.value is not None:
            frame.yielded.append(self.evaluate(node.value, frame))
        return UNKNOWN

    def _walrus(self, node: ast.NamedExpr, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        self.bind(node.target, value, frame)
        return value

    # -- attributes and items ------------------------------------------------------------------

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        # A narrowed `self.x` is kept in the environment under its dotted spelling.
        narrowed = frame.lookup(_spelling(node) or "")
        if narrowed is not None:
            return narrowed
        owner = self.evaluate(node.value, frame)
        return union(*(self.attribute_of(atom, node.attr, node, frame) for atom in owner)) or UNKNOWN

    def attribute_of(self, atom: Atom, name: str, node: ast.expr, frame: Frame) -> Value:
        """Return what attribute ``name`` of one atom may be."""
        if isinstance(atom, Block):
            return self._block_attribute(atom, name, node, frame)
        if name in known.IMPLEMENTATION_ATTRIBUTES and isinstance(atom, (Config, Unknown, Instance)):
            return const(known.IMPLEMENTATION)
        if isinstance(atom, Config):
            return _config_attribute(name)
        if isinstance(atom, Instance):
            return self._instance_attribute(atom, name, frame)
        if isinstance(atom, Super):
            return self._class_attribute(atom.receiver, atom.receiver.cls, name, atom.owner, frame)
        if isinstance(atom, ClassRef):
            return self._class_attribute(None, atom.cls, name, None, frame)
        if isinstance(atom, ModuleRef):
            found = self.index.member(atom.module, name)
            if name in known.ATTENTION_TABLES:
                return frozenset({AttentionInterface(name == known.MASK_TABLE)})
            if isinstance(found, Assignment):
                return self.calls.module_value(found)
            return frozenset({reference(found)}) if found else UNKNOWN
        if isinstance(atom, Outside):
            return frozenset({Outside(f"{atom.path}.{name}")})
        if isinstance(atom, (List, Tuple, Dict, Tensor)):
            return frozenset({Method(atom, name)}) if name not in ("shape", "dtype", "device") else UNKNOWN
        if isinstance(atom, (Bound, Closure, Partial, AttentionInterface)) and name in (
            "__call__",
            "forward",
            "__func__",
            "get_interface",
        ):
            return frozenset({atom})
        if name == "config" or name.endswith("_config"):
            return CONFIG
        return UNKNOWN

    def _block_attribute(self, block: Block, name: str, node: ast.expr, frame: Frame) -> Value:
        if not surface.has_attribute(name):
            subject = node.value if isinstance(node, ast.Attribute) else node
            frame.site(node, subject, f"a BlockMask has no attribute '{name}'", certain=block.certain)
            return UNKNOWN
        if name == "shape":
            return frozenset({Tuple((UNKNOWN,) * surface.DIMENSIONS)})
        return (
            frozenset({Method(block, name)}) if name in ("to", "to_dense", "numel", "sparsity") else UNKNOWN
        )

    def _instance_attribute(self, instance: Instance, name: str, frame: Frame) -> Value:
        if name in instance.attributes:
            return instance.attributes[name]
        if name in ("__call__",):
            name = "forward"
        if name == "__class__":
            return frozenset({ClassRef(instance.cls)})
        found = self._class_attribute(instance, instance.cls, name, None, frame)
        if found == UNKNOWN and (name == "config" or name.endswith("_config")):
            return CONFIG
        return found

    def _class_attribute(
        self, receiver: Instance | None, cls: Class, name: str, after: Class | None, frame: Frame
    ) -> Value:
        owner, found = self.hierarchy.find_with_owner(cls, name, after)
        if owner is None or found is None:
            return frozenset({Unknown()})
        if isinstance(found, Class):
            return frozenset({ClassRef(found)})
        if isinstance(found, ast.expr):
            return self.calls.class_value(owner, found)
        decorators = {_last_name(decorator) for decorator in _decorators(found)}
        if "staticmethod" in decorators:
            return frozenset({Bound(found)})
        if "classmethod" in decorators:
            return frozenset({Bound(found, ClassRef(receiver.cls if receiver else cls))})
        if receiver is not None and decorators & {"property", "cached_property"}:
            return self.calls.invoke(found, receiver, Arguments(), found.node, frame)
        return frozenset({Bound(found, receiver)})

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        owner = self.evaluate(node.value, frame)
        key = self.evaluate(node.slice, frame)
        return union(*(self._item(atom, key, node, frame) for atom in owner)) or UNKNOWN

    def _item(self, atom: Atom, key: Value, node: ast.Subscript, frame: Frame) -> Value:
        if isinstance(atom, Block):
            frame.site(
                node,
                node.value,
                "a BlockMask's index selects blocks, not positions",
                crash=False,
                certain=atom.certain,
            )
            return UNKNOWN
        if isinstance(atom, AttentionInterface):
            return frozenset({atom})
        if isinstance(atom, Tuple):
            return _tuple_item(atom, key, node)
        if isinstance(atom, List):
            return frozenset({atom}) if isinstance(node.slice, ast.Slice) else atom.element
        if isinstance(atom, Dict):
            return known.lookup(atom, key)
        if isinstance(atom, Tensor):
            return frozenset({atom})
        return UNKNOWN

    # -- operators -----------------------------------------------------------------------------

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        return self.operate(node, left, right, frame)

    def operate(self, node: ast.BinOp, left: Value, right: Value, frame: Frame) -> Value:
        """Return ``left op right``."""
        for side, value in ((node.left, left), (node.right, right)):
            if is_block(value):
                operation = f"a BlockMask does not support {_OPERATORS[type(node.op)]}"
                frame.site(node, side, operation, certain=Block() in value)
        if isinstance(node.op, ast.Add):
            sequences = [atom for atom in left | right if isinstance(atom, (Tuple, List))]
            if sequences and all(isinstance(atom, (Tuple, List)) for atom in left | right):
                return _concatenated(left, right)
        if any(isinstance(atom, Tensor) for atom in left | right):
            return frozenset({Tensor(_origin(left | right))})
        return frozenset({Unknown(_origin(left | right))})

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        if isinstance(node.op, ast.Not):
            holds, fails = self.branch(node, frame)
            return union(TRUE if holds is not None else NOTHING, FALSE if fails is not None else NOTHING)
        value = self.evaluate(node.operand, frame)
        if is_block(value):
            operation = f"a BlockMask does not support {_OPERATORS[type(node.op)]}"
            frame.site(node, node.operand, operation, certain=Block() in value)
        negated = [atom.value for atom in value if isinstance(atom, Const)]
        if isinstance(node.op, ast.USub) and len(negated) == len(value) == 1:
            number = negated[0]
            return const(-number) if isinstance(number, (int, float)) else UNKNOWN
        return frozenset({Tensor(_origin(value)) if any(isinstance(a, Tensor) for a in value) else Unknown()})

    def _bool(self, node: ast.BoolOp, frame: Frame) -> Value:
        before = frame.env
        held: list[Value] = []
        for at, operand in enumerate(node.values):
            value = self.evaluate(operand, frame)
            last = at == len(node.values) - 1
            goes_on, stops = (True, False) if isinstance(node.op, ast.And) else (False, True)
            if last:
                held.append(value)
                break
            passing, failing = split(value, is_truthy)
            held.append(passing if stops else failing)
            if goes_on not in truth(value):
                break
            holds, fails = self.branch(operand, frame)
            reached = holds if goes_on else fails
            if reached is None:
                break
            frame.env = reached
        frame.env = before
        return union(*held)

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        if len(node.ops) > 1:
            for operand in (node.left, *node.comparators):
                self.evaluate(operand, frame)
            return UNKNOWN
        holds, fails = self.branch(node, frame)
        if holds is None or fails is None:
            return union(TRUE if holds is not None else NOTHING, FALSE if fails is not None else NOTHING)
        return UNKNOWN

    def _conditional(self, node: ast.IfExp, frame: Frame) -> Value:
        holds, fails = self.branch(node.test, frame)
        before = frame.env
        held: list[Value] = []
        for env, arm in ((holds, node.body), (fails, node.orelse)):
            if env is not None:
                frame.env = env
                held.append(self.evaluate(arm, frame))
        frame.env = before
        return union(*held) or UNKNOWN

    # -- tests ---------------------------------------------------------------------------------

    def branch(self, node: ast.expr, frame: Frame) -> Branches:
        """Evaluate a test; return the environments in which it is true and false, None if it cannot be."""
        if isinstance(node, ast.BoolOp):
            return self._branch_bool(node, frame)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            holds, fails = self.branch(node.operand, frame)
            return fails, holds
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return self._branch_compare(node, frame)
        if isinstance(node, ast.Call):
            tested = self._instance_test(node, frame)
            if tested is not None:
                return tested
        if isinstance(node, ast.NamedExpr):
            value = self._walrus(node, frame)
            return self._narrowed([node.target, node.value], value, is_truthy, frame)
        return self._narrowed([node], self.evaluate(node, frame), is_truthy, frame)

    def _branch_bool(self, node: ast.BoolOp, frame: Frame) -> Branches:
        before = frame.env
        stopped: list[Environment | None] = []
        reached: Environment | None = before
        for operand in node.values:
            frame.env = reached if reached is not None else before
            holds, fails = self.branch(operand, frame)
            if isinstance(node.op, ast.And):
                stopped.append(fails)
                reached = holds
            else:
                stopped.append(holds)
                reached = fails
            if reached is None:
                break
        frame.env = before
        other = join(*stopped)
        return (reached, other) if isinstance(node.op, ast.And) else (other, reached)

    def _branch_compare(self, node: ast.Compare, frame: Frame) -> Branches:
        left = self.evaluate(node.left, frame)
        right = self.evaluate(node.comparators[0], frame)
        operator = node.ops[0]
        for side, value in ((node.left, left), (node.comparators[0], right)):
            if is_block(value):
                self._compared_block(node, operator, side, Block() in value, frame)
        if isinstance(operator, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
            positive = isinstance(operator, (ast.Is, ast.Eq))
            answer = self._equality(node, left, right, frame)
        elif isinstance(operator, (ast.In, ast.NotIn)):
            positive = isinstance(operator, ast.In)
            answer = self._membership(node, left, right, frame)
        else:
            return frame.env, dict(frame.env)
        return answer if positive else (answer[1], answer[0])

    def _compared_block(
        self, node: ast.Compare, operator: ast.cmpop, side: ast.expr, certain: bool, frame: Frame
    ) -> None:
        if isinstance(operator, (ast.Is, ast.IsNot)):
            return
        if isinstance(operator, (ast.In, ast.NotIn)):
            if side is node.comparators[0]:
                frame.site(node, side, "searching a BlockMask with 'in' never ends", certain=certain)
            return
        symbol = _OPERATORS[type(operator)]
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            operation = f"{symbol} compares a BlockMask as a whole, not element by element"
            frame.site(node, side, operation, crash=False, certain=certain)
        else:
            frame.site(node, side, f"a BlockMask does not support {symbol}", certain=certain)

    def _equality(self, node: ast.Compare, left: Value, right: Value, frame: Frame) -> Branches:
        for value, other, side in (
            (left, right, node.left),
            (right, left, node.comparators[0]),
        ):
            constants = [atom for atom in other if isinstance(atom, Const)]
            if len(other) == 1 and constants:
                targets: list[ast.expr] = [side]
                if isinstance(side, ast.NamedExpr):
                    targets = [side.target, side.value]
                counted = _counts_dimensions(side)
                if counted is not None:
                    held = self.evaluate(counted, frame)
                    return self._narrowed([counted], held, has_dimensions(constants[0].value), frame)
                return self._narrowed(targets, value, is_constant(constants[0].value), frame)
        return frame.env, dict(frame.env)

    def _membership(self, node: ast.Compare, left: Value, right: Value, frame: Frame) -> Branches:
        written = node.comparators[0]
        if isinstance(written, (ast.Tuple, ast.List, ast.Set)) and all(
            isinstance(element, ast.Constant) for element in written.elts
        ):
            constants = [element.value for element in written.elts if isinstance(element, ast.Constant)]
            return self._narrowed([node.left], left, is_one_of(constants), frame)
        return frame.env, dict(frame.env)

    def _instance_test(self, node: ast.Call, frame: Frame) -> Branches | None:
        if not isinstance(node.func, ast.Name) or not node.args:
            if isinstance(node.func, ast.Attribute) and node.func.attr == "is_tensor" and len(node.args) == 1:
                value = self.evaluate(node.args[0], frame)
                return self._narrowed([node.args[0]], value, is_instance(["Tensor"], self._inherits), frame)
            return None
        if node.func.id == "isinstance" and len(node.args) == 2:
            value = self.evaluate(node.args[0], frame)
            names = _class_names(node.args[1])
            return self._narrowed([node.args[0]], value, is_instance(names, self._inherits), frame)
        if node.func.id == "hasattr" and len(node.args) == 2:
            value = self.evaluate(node.args[0], frame)
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            return self._narrowed([node.args[0]], value, _has_attribute(str(name)), frame)
        return None

    def _inherits(self, instance: Instance, name: str) -> bool:
        return any(
            (base.name if isinstance(base, Class) else base.path.rpartition(".")[2]) == name
            for base in self.hierarchy.linearize(instance.cls)
        )

    def _narrowed(self, targets: list[ast.expr], value: Value, test: Answers, frame: Frame) -> Branches:
        passing, failing = split(value, test)
        environments: list[Environment | None] = []
        for kept in (passing, failing):
            if not kept:
                environments.append(None)
                continue
            env = dict(frame.env)
            for target in targets:
                spelling = _spelling(target)
                if spelling is not None and (isinstance(target, ast.Name) or _worth_narrowing(value)):
                    env[spelling] = kept
            environments.append(env)
        return environments[0], environments[1]

    # -- calls ---------------------------------------------------------------------------------

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        if isinstance(node.func, ast.Name) and frame.lookup(node.func.id) is None:
            special = self._special(node, node.func.id, frame)
            if special is not None:
                return special
        callee = self.evaluate(node.func, frame)
        given = self.arguments(node, frame)
        if isinstance(node.func, ast.Attribute):
            self._mutate(node.func, given, frame)
            if node.func.attr in known.CALLS_ITS_ARGUMENT and given.positional:
                return self._apply(given.positional[0], given.without(1), node, frame)
        return self._apply(callee, given, node, frame)

    def arguments(self, node: ast.Call, frame: Frame) -> Arguments:
        """Evaluate the arguments of a call."""
        positional: list[Value] = []
        keywords: list[tuple[str, Value]] = []
        rest: Value = NOTHING
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                values, more = expand_star(self.evaluate(argument.value, frame))
                positional += values
                rest = union(rest, more)
            else:
                positional.append(self.evaluate(argument, frame))
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is None:
                items, more = expand_double_star(value)
                keywords += items
                rest = union(rest, more)
            else:
                keywords.append((keyword.arg, value))
        return Arguments(tuple(positional), tuple(keywords), rest)

    def _special(self, node: ast.Call, name: str, frame: Frame) -> Value | None:
        if name == "super" and frame.owner is not None and frame.receiver is not None:
            return frozenset({Super(frame.receiver, frame.owner)})
        if name in ("isinstance", "hasattr") and len(node.args) == 2:
            holds, fails = self.branch(node, frame)
            return union(TRUE if holds is not None else NOTHING, FALSE if fails is not None else NOTHING)
        if name == "getattr" and len(node.args) >= 2 and isinstance(node.args[1], ast.Constant):
            return self._getattr(node, str(node.args[1].value), frame)
        if name == "len" and len(node.args) == 1:
            given = self.arguments(node, frame)
            counted = known.length(given)
            return counted if counted != UNKNOWN else known.call_outside("builtins.len", node, given, frame)
        return None

    def _getattr(self, node: ast.Call, name: str, frame: Frame) -> Value:
        held: list[Value] = []
        for atom in self.evaluate(node.args[0], frame):
            if isinstance(atom, Block) and not surface.has_attribute(name) and len(node.args) > 2:
                held.append(self.evaluate(node.args[2], frame))
            else:
                found = self.attribute_of(atom, name, node, frame)
                held.append(found)
                if isinstance(atom, Instance) and found == UNKNOWN and len(node.args) > 2:
                    held.append(self.evaluate(node.args[2], frame))
        return union(*held) or UNKNOWN

    def _mutate(self, func: ast.Attribute, given: Arguments, frame: Frame) -> None:
        """``x.append(value)`` and the like: rebind ``x`` to what it holds afterwards."""
        if func.attr not in ("append", "add", "insert", "extend", "update", "setdefault") or not (
            given.positional or given.keywords
        ):
            return
        held = self.evaluate(func.value, frame)
        added = given.positional[-1] if given.positional else NOTHING
        added = elements(added) if func.attr == "extend" else added
        changed: set[Atom] = set()
        for atom in held:
            if isinstance(atom, List) and func.attr in ("append", "add", "insert", "extend"):
                changed.add(List(union(atom.element, added)))
            elif isinstance(atom, Dict) and func.attr == "update":
                for name, value in [*given.keywords, *expand_double_star(added)[0]]:
                    atom = atom.with_item(name, value)
                changed.add(atom)
            else:
                changed.add(atom)
        if changed != held:
            self._rebind(func.value, frozenset(changed), frame)

    def _apply(self, callee: Value, given: Arguments, node: ast.Call, frame: Frame) -> Value:
        self._confirm(callee, given, node, frame)
        return union(*(self.apply(atom, given, node, frame) for atom in callee)) or UNKNOWN

    def apply(self, atom: Atom, given: Arguments, node: ast.Call, frame: Frame) -> Value:
        """Return what calling one atom gives."""
        if isinstance(atom, Bound):
            if atom.function.name in known.NOT_FOLLOWED:
                return UNKNOWN
            return self.calls.invoke(atom.function, atom.receiver, given, node, frame)
        if isinstance(atom, Closure):
            return self.calls.invoke_closure(atom, given)
        if isinstance(atom, ClassRef):
            return self.calls.instantiate(atom.cls, given, frame)
        if isinstance(atom, Instance):
            forward = self.hierarchy.find(atom.cls, "forward") or self.hierarchy.find(atom.cls, "__call__")
            if isinstance(forward, Function):
                return self.calls.invoke(forward, atom, given, node, frame)
            return UNKNOWN
        if isinstance(atom, Method):
            return known.method_result(atom, node, given, frame)
        if isinstance(atom, Partial):
            merged = Arguments(
                (*atom.arguments, *given.positional),
                tuple({**dict(atom.keywords), **dict(given.keywords)}.items()),
                given.rest,
            )
            return self._apply(atom.function, merged, node, frame)
        if isinstance(atom, AttentionInterface):
            return BLOCK if atom.makes_masks else frozenset({Tuple((TENSOR_RESULT, UNKNOWN))})
        if isinstance(atom, Outside):
            return self._call_outside(atom, given, node, frame)
        if isinstance(atom, Block):
            frame.site(node, node.func, "a BlockMask cannot be called")
        elif isinstance(atom, Unknown) and given.carry_block():
            frame.record.unresolved.add((frame.module.source.name, node.lineno))
        return UNKNOWN

    def _call_outside(self, atom: Outside, given: Arguments, node: ast.Call, frame: Frame) -> Value:
        if atom.path in known.CALLS_ITS_ARGUMENT and given.positional:
            return self._apply(given.positional[0], given.without(1), node, frame)
        if atom.path == "functools.partial" and given.positional:
            made = Partial(given.positional[0], given.positional[1:], given.keywords)
            return frozenset({made})
        return known.call_outside(atom.path, node, given, frame)

    def _confirm(self, callee: Value, given: Arguments, node: ast.Call, frame: Frame) -> None:
        """A value that a function made from a BlockMask is handed on as a mask: that is a mask method."""
        names: list[str | None] = [None] * len(given.positional) + [name for name, _ in given.keywords]
        attention = any(isinstance(atom, AttentionInterface) for atom in callee)
        signature = _signature(callee, self.hierarchy)
        for at, value in enumerate([*given.positional, *(value for _, value in given.keywords)]):
            name = names[at] or (signature[at] if at < len(signature) else "")
            if attention or "mask" in name:
                frame.record.confirmed.update(origins(value))


TENSOR_RESULT: Value = frozenset({Tensor()})


def _config_attribute(name: str) -> Value:
    if name == "config" or name.endswith("_config"):
        return CONFIG
    if name in known.CONFIG_DEFAULTS:
        return const(known.CONFIG_DEFAULTS[name])
    return UNKNOWN


def _has_attribute(name: str) -> Answers:
    def test(atom: Atom) -> set[bool]:
        return {surface.has_attribute(name)} if isinstance(atom, Block) else {True, False}

    return test


def _counts_dimensions(node: ast.expr) -> ast.expr | None:
    """Return ``mask`` of ``len(mask.shape)``, ``mask.ndim`` and ``mask.dim()``."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "len" and len(node.args) == 1:
        (shape,) = node.args
        return shape.value if isinstance(shape, ast.Attribute) and shape.attr == "shape" else None
    asked = node.func if isinstance(node, ast.Call) else node
    return asked.value if isinstance(asked, ast.Attribute) and asked.attr in ("ndim", "dim") else None


def _signature(callee: Value, hierarchy: Hierarchy) -> list[str]:
    """Return the positional parameter names of what is called, if one function is."""
    for atom in callee:
        function: object = None
        bound = False
        if isinstance(atom, Instance):
            function, bound = hierarchy.find(atom.cls, "forward"), True
        elif isinstance(atom, Bound):
            function, bound = atom.function, atom.receiver is not None
        if isinstance(function, Function):
            arguments = function.node.args
            names = [parameter.arg for parameter in [*arguments.posonlyargs, *arguments.args]]
            return names[1:] if bound else names
    return []


def _spelling(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _spelling(node.value)
        return f"{owner}.{node.attr}" if owner else None
    return None


def _worth_narrowing(value: Value) -> bool:
    # Attributes change behind the environment's back; only what concerns masks is worth the risk.
    return has_block(value)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _decorators(function: Function) -> list[ast.expr]:
    return getattr(function.node, "decorator_list", [])


def _class_names(node: ast.expr) -> list[str]:
    if isinstance(node, (ast.Tuple, ast.List)):
        return [name for element in node.elts for name in _class_names(element)]
    if isinstance(node, ast.BinOp):  # int | float
        return _class_names(node.left) + _class_names(node.right)
    if isinstance(node, ast.Call) and ast.unparse(node) == "type(None)":
        return ["NoneType"]
    return [_last_name(node)]


def _tuple_item(atom: Tuple, key: Value, node: ast.Subscript) -> Value:
    if isinstance(node.slice, ast.Slice):
        return frozenset({List(union(*atom.items))}) if atom.items else frozenset({atom})
    if len(key) == 1 and isinstance(found := next(iter(key)), Const) and isinstance(found.value, int):
        if -len(atom.items) <= found.value < len(atom.items):
            return atom.items[found.value]
        return NOTHING
    return union(*atom.items) if atom.items else UNKNOWN


def _concatenated(left: Value, right: Value) -> Value:
    made: set[Atom] = set()
    for first in left:
        for second in right:
            if (
                isinstance(first, Tuple)
                and isinstance(second, Tuple)
                and len(first.items + second.items) <= 12
            ):
                made.add(Tuple(first.items + second.items))
            else:
                made.add(List(union(elements(frozenset({first})), elements(frozenset({second})))))
    return frozenset(made)


def _origin(value: Value) -> Function | None:
    for atom in value:
        if isinstance(atom, (Tensor, Unknown)) and atom.origin is not None:
            return atom.origin
    return None
