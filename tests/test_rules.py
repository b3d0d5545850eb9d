"""``python -m codemods.rules``, and that every rule has its page, module and test of one name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codemods.flex_passthrough.rules import RULES

ROOT = Path(__file__).parents[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codemods.rules", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize("name", RULES)
def test_module_page_and_test_share_a_name(name):
    rule = RULES[name]
    stem = f"{rule.id.lower()}_{rule.name.replace('-', '_')}"
    assert (ROOT / "codemods" / "flex_passthrough" / "rules" / f"{stem}.py").is_file()
    assert (ROOT / "tests" / "flex_passthrough" / "rules" / f"test_{stem}.py").is_file()
    page = (ROOT / "docs" / "rules" / f"{rule.id}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {rule.id} {rule.name}\n")
    assert "```diff" in page


def test_list_names_every_rule():
    shown = run().stdout
    assert all(rule.id in shown and rule.name in shown for rule in RULES.values())


def test_one_rule_by_id_or_name():
    assert run("FLEX001").stdout == run("missing-passthrough").stdout
    assert run("flex001").stdout.startswith("# FLEX001 missing-passthrough\n")


def test_unknown_rule_is_a_usage_error():
    result = run("FLEX01")
    assert result.returncode == 2
    assert "did you mean 'FLEX001'?" in result.stderr
