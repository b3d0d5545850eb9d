"""The root with all that follows it, as a small drawing."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from codemods.review.decision import Decision, Member

_ROW, _INDENT, _LETTER = 22, 26, 7.3


class Node(Struct, frozen=True):
    """One member and where it stands in the drawing; ``bend`` is where the line to its parent starts."""

    member: Member
    x: int
    y: int
    bend: int | None


class Drawing(Struct, frozen=True):
    """The nodes from top to bottom, and how large the drawing is."""

    nodes: Sequence[Node]
    width: int
    height: int


def draw(decision: Decision) -> Drawing:
    """Lay the decision's members out as a tree: each below what it follows, further to the right."""
    children: dict[tuple[str, str] | None, list[Member]] = {}
    known = {(member.path, member.qualname) for member in decision.members}
    for member in decision.members:
        children.setdefault(member.via if member.via in known else None, []).append(member)
    nodes: list[Node] = []

    def place(member: Member, depth: int, above: int | None) -> None:
        y = len(nodes) * _ROW + _ROW // 2
        nodes.append(Node(member, depth * _INDENT + 8, y, above))
        for child in children.get((member.path, member.qualname), []):
            place(child, depth + 1, y)

    for member in children.get(None, []):
        place(member, 0, None)
    widths = [node.x + 24 + _LETTER * len(f"{node.member.path} {node.member.qualname}") for node in nodes]
    return Drawing(nodes, int(max(widths, default=0)), len(nodes) * _ROW)
