"""Questions and answers, without a terminal."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from codemods.review.decision import Decision
from codemods.review.interactive import review
from codemods.review.report import Report


@pytest.fixture
def decisions(report: Report) -> list[Decision]:
    """Decisions called 1 to 4; 1 and 3 are of one rule, 2 and 4 of another."""
    first, second = report.decisions[:2]
    return [
        replace(first, id="1"),
        replace(second, id="2"),
        replace(first, id="3"),
        replace(second, id="4"),
    ]


def ask(decisions: list[Decision], keys: str) -> tuple[str, str]:
    """Return the answers in order (y, n, - for none) and what was shown."""
    typed = iter(keys.split())
    out = io.StringIO()

    def read() -> str:
        try:
            return next(typed) + "\n"
        except StopIteration:
            raise EOFError from None

    def edit(decision: Decision) -> Decision:
        return replace(decision, id=f"{decision.id}e")

    answers = review(decisions, Console(file=out, width=100), read, edit)
    assert next(typed, None) is None, "not everything that was typed was read"
    said = {id.rstrip("e"): answer for id, answer in answers.items()}
    assert len(answers) == len(said) == len(decisions)
    return "".join({True: "y", False: "n", None: "-"}[said[d.id]] for d in decisions), out.getvalue()


@pytest.mark.parametrize(
    ("keys", "answers"),
    [
        ("y n y n", "ynyn"),
        ("n a", "nyyy"),
        ("n r y", "nyyy"),
        ("d y y", "nyny"),
        ("r d", "ynyn"),
        ("y q", "y---"),
        ("y n", "yn--"),  # the end of input
        ("y b n y y y", "nyyy"),
        ("b y y y y", "yyyy"),
        ("y y b b n n", "nn--"),
        ("? x s huh y a", "yyyy"),
        ("e y e e n q", "yn--"),
        ("y e b y a", "yyyy"),
        ("y e q", "y---"),
        ("Yes No q", "yn--"),
    ],
)
def test_keys(decisions, keys, answers):
    assert ask(decisions, keys)[0] == answers


def test_help_names_every_key_and_explaining_shows_the_way(decisions):
    said = ask(decisions, "? x q")[1]
    for key in "ynardesxbq":
        assert f"{key}  " in said
    assert "the BlockMask enters A.forward(attention_mask)" in said
    assert "(1 of 4, 1)" in said


def test_root_is_shown_and_all_files_on_request(decisions):
    assert ask(decisions, "q")[1].count("+        if isinstance(attention_mask, torch.Tensor)") == 1
    assert ask(decisions, "s q")[1].count("+        if isinstance(attention_mask, torch.Tensor)") == 3


def test_what_came_of_an_edit_is_shown_and_asked_about(decisions):
    said = ask(decisions, "e q")[1]
    assert "(1 of 4, 1)" in said and "(1 of 4, 1e)" in said
