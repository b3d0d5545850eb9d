"""Every mend: the names an edit uses, imported as the tree imports them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from msgspec import Struct

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.hunks import edits_between
from codemods.flex_passthrough.mends.writing.import_place import add_import, import_statement
from codemods.flex_passthrough.mends.writing.names import Import, dotted, local_name
from codemods.flex_passthrough.mends.writing.text import Text, first_line, read_outside
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit

GUARD = "is_torch_flex_attn_available"


class Need(Struct, frozen=True):
    """A name that a mended file uses.

    Attributes:
        module: where it lives. A leading dot means: below the library's own top package.
        name: what is imported from there; None imports the module.
        guarded: whether it exists only where flex attention does.
    """

    module: str
    name: str | None = None
    guarded: bool = False


# Two blank lines before one of these tell nothing about those after imports.
_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# How wide transformers sets its lines. It has two blank lines after imports, where black and isort have one.
_OF_TRANSFORMERS = 119

TORCH = Need("torch")
BLOCK_MASK = Need("torch.nn.attention.flex_attention", "BlockMask", guarded=True)
CREATE_MASK = Need(BLOCK_MASK.module, "create_mask", guarded=True)


def require_imports(
    text: str,
    needs: Iterable[Need],
    *,
    root: str | None = None,
    guard: str | None = GUARD,
    width: int | None = None,
) -> list[Edit]:
    """Make names importable, joined to the imports that are there.

    Guarded names go into the file's ``if is_torch_flex_attn_available():`` block, or into a new one
    behind the last import. In a file that belongs to no library with such a function they are
    imported with ``try``, and ``isinstance`` stays valid without them.

    Args:
        text: the file.
        needs: what its new code uses.
        root: how the file reaches the library's top package: dots or a package's name. None takes
            what its imports show.
        guard: the function of the library's ``utils`` that tells whether flex attention is there;
            None if it has none.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if everything is imported.

    Raises:
        CannotMend: if a name means something else in the file, or the library cannot be told.
    """
    root = root if root is not None else library_root(text)
    limit = line_width(text, width)
    new = text
    for need in needs:
        module = _resolve(need.module, root)
        if local_name(new, module, need.name) is not None:
            continue
        if not need.guarded:
            body = read_outside(new).tree.body
            new = add_import(new, _header(read_outside(new)), body, module, need.name, "", limit)
        elif root is None or guard is None:
            new = _add_attempt(new, module, need.name or module)
        else:
            new = _add_guarded(new, module, need.name, root, guard, limit)
    return edits_between(text, new) if new != text else []


def library_root(text: str) -> str | None:
    """Return how a file reaches its library's top package: dots, a package's name, or None."""
    modules = [dotted(node) for node in read_outside(text).tree.body if isinstance(node, ast.ImportFrom)]
    for module in modules:
        dots = module[: len(module) - len(module.lstrip("."))]
        if dots and module.lstrip(".").partition(".")[0] in ("utils", "modeling_utils", "cache_utils"):
            return dots
    return "transformers" if any(module.partition(".")[0] == "transformers" for module in modules) else None


def _resolve(module: str, root: str | None) -> str:
    """Turn a name below the library's top package into one that the file can import."""
    if not module.startswith("."):
        return module
    if root is None:
        raise CannotMend(f"no import shows where {module[1:]} is, seen from this file")
    return f"{root}{module[1:]}" if root.endswith(".") else f"{root}{module}"


def _add_guarded(text: str, module: str, name: str | None, root: str, guard: str, width: int) -> str:
    """Import a name under the library's guard, which is imported and written first if need be."""
    utils = _resolve(".utils", root)
    called = local_name(text, utils, guard) or local_name(text, f"{utils}.import_utils", guard)
    block = _guard_block(read_outside(text).tree, called or guard)
    if block is not None:
        depth = indentation(read_outside(text), block.body[0].lineno)
        return add_import(text, block.body, block.body, module, name, depth, width)
    if called is None:
        text = add_import(
            text, _header(read_outside(text)), read_outside(text).tree.body, utils, guard, "", width
        )
    lines = [f"if {called or guard}():", indent_unit(read_outside(text)) + import_statement(module, name)]
    return _add_block(text, lines, usual_gap=2 if width == _OF_TRANSFORMERS else 1)


def _guard_block(tree: ast.Module, guard: str) -> ast.If | None:
    """Return the block that the guard opens, if it stands on lines of its own."""
    for statement in tree.body:
        if (
            isinstance(statement, ast.If)
            and ast.unparse(statement.test) == f"{guard}()"
            and statement.body[0].lineno > statement.lineno
        ):
            return statement
    return None


def _add_attempt(text: str, module: str, name: str) -> str:
    """Import a name with ``try``; without it, no object is an instance of it."""
    unit = indent_unit(read_outside(text))
    return _add_block(
        text,
        [
            "try:",
            unit + import_statement(module, name),
            "except ImportError:  # this torch has no flex attention",
            f"{unit}{name} = ()",
        ],
        usual_gap=1,
    )


def _header(source: Text) -> list[ast.stmt]:
    """Return the statements a module begins with: docstring, imports, guarded imports."""
    header = []
    for statement in source.tree.body:
        if not (_is_import_block(statement) or _is_string(statement) or _is_dunder(statement)):
            break
        header.append(statement)
    return header


def _is_import_block(statement: ast.stmt) -> bool:
    """Recognize an import, or an ``if`` or ``try`` that holds imports and stand-ins for them."""
    if isinstance(statement, Import):
        return True
    if not isinstance(statement, (ast.If, ast.Try)):
        return False
    bodies = [statement.body, statement.orelse]
    if isinstance(statement, ast.Try):
        bodies += [statement.finalbody, *(handler.body for handler in statement.handlers)]
    inner = [each for body in bodies for each in body]
    harmless = (ast.Assign, ast.AnnAssign, ast.Pass, ast.Expr, ast.Raise)
    return any(_is_import_block(each) for each in inner) and all(
        _is_import_block(each) or isinstance(each, harmless) for each in inner
    )


def _is_string(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_dunder(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and all(
        isinstance(target, ast.Name) and target.id.startswith("__") for target in statement.targets
    )


def _add_block(text: str, lines: Sequence[str], usual_gap: int) -> str:
    """Put a guarded import behind the last import, with the distances the file keeps there."""
    source = read_outside(text)
    header = [statement for statement in _header(source) if not _is_dunder(statement)]
    newline = source.newline()
    block = "".join(line + newline for line in lines)
    if not header:
        start = source.offset(first_line(source.tree.body[0]), 0) if source.tree.body else len(text)
        return text[:start] + block + newline * 2 + text[start:]
    last_line = header[-1].end_lineno or header[-1].lineno
    gap = _gap_after_imports(source, header) or usual_gap
    end = source.after(last_line)
    start_newline = "" if source.lines[last_line - 1].endswith(("\n", "\r")) else newline
    return text[:end] + start_newline + newline * gap + block + text[end:]


def _gap_after_imports(source: Text, header: Sequence[ast.stmt]) -> int | None:
    """Count the blank lines that the file leaves after its imports; None if it does not show."""
    body = source.tree.body
    for statement in reversed(header):
        following = body[body.index(statement) + 1 :][:1]
        if isinstance(statement, Import) and following and not isinstance(following[0], _DEFINITIONS):
            return _blank_lines_after(source, statement.end_lineno or statement.lineno)
    return None


def _blank_lines_after(source: Text, line: int) -> int:
    rest = source.lines[line:]
    return next((index for index, each in enumerate(rest) if each.strip()), len(rest))
