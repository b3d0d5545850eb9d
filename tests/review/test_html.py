"""The page, in a real browser where there is one."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.review.choices import read_choices
from codemods.review.html.page import render
from codemods.review.html.places import with_verdicts
from codemods.review.html.verdicts import VerdictsError, read_verdicts
from codemods.review.report import Report
from tests import chromium

VERDICTS = {
    "results": [
        {"class": "AForCausalLM", "case": "block_causal", "verdict": "ok", "before": {"verdict": "crash"}},
        {"class": "AForCausalLM", "case": "none", "verdict": "ok", "before": {"verdict": "ok"}},
        {
            "class": "B<b>",
            "case": "none",
            "verdict": "wrong",
            "before": {"verdict": "ok"},
            "lost": ["was ok, is wrong"],
            "max_abs_diff": 0.5,
        },
        {
            "class": "B<b>",
            "case": "ones",
            "verdict": "ok",
            "before": {"verdict": "ok"},
            "lost": ["eager output is not identical"],
        },
        {
            "class": "B<b>",
            "case": "loss",
            "verdict": "ok",
            "before": {"verdict": "ok"},
            "lost": ["not run any more"],
            "missing": True,
        },
    ]
}
OPEN_ALL = "document.querySelectorAll('details').forEach((d) => { d.open = true; fill(d) })"
EVIL = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


def test_nothing_of_the_report_is_markup(report):
    for decision in report.decisions:
        decision.root = (f"models/{EVIL}.py", EVIL)
        for finding in decision.findings:
            finding.message = finding.reason = EVIL
        decision.changes = tuple(
            replace(change, name=EVIL, after=change.after + EVIL.encode()) for change in decision.changes
        )
    report.notices += [EVIL, "<?verdicts whole ?>"]
    for finding in report.findings:
        finding.models = (EVIL, "<?verdicts whole ?>")
    document = {"results": [{"class": EVIL, "case": EVIL, "verdict": EVIL, "reason": EVIL}]}

    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(render(report, document))
    assert tags.count("script") == 2
    assert "img" not in tags and "b" in tags


def test_same_report_same_page(report):
    assert render(report) == render(report)
    assert "http://" not in render(report).replace("http://www.w3.org", "")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"results": [1]}', '{"results": [{"class": "A"}]}'])
def test_verdicts_that_are_none(tmp_path, text):
    (tmp_path / "verdicts.json").write_text(text)
    with pytest.raises(VerdictsError):
        read_verdicts(tmp_path / "verdicts.json")


@pytest.fixture
def page(browser, report, tmp_path) -> chromium.Page:
    browser.resize(1200)
    (tmp_path / "report.html").write_text(render(report, VERDICTS))
    browser.open(tmp_path / "report.html")
    return browser


def shown(page: chromium.Page) -> list[str]:
    return page.run("articles.filter((a) => !a.hidden).map((a) => a.dataset.id)")


def test_opens_offline_and_shows_every_decision(page, report):
    assert page.complaints() == []
    assert shown(page) == [decision.id for decision in report.decisions]
    assert page.run("document.title") == "flex_passthrough: 4 decisions"
    # What is closed is not rendered; the first root is open.
    assert page.run("document.querySelectorAll('table.unified').length") == 1
    assert "isinstance(attention_mask, torch.Tensor)" in page.run(
        "document.querySelector('tr.add td.code').textContent"
    )
    assert page.run("document.querySelectorAll('td.code span').length") > 5  # syntax colours


def test_policy_refuses_foreign_scripts(page):
    page.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.taken = 1'}))"
    )
    assert page.run("window.taken") is None


def test_filters(page, report):
    def choose(name: str, value: str) -> list[str]:
        page.run(f"$('f-{name}').value = {json.dumps(value)}; filter()")
        found = shown(page)
        page.run(f"$('f-{name}').value = ''; filter()")
        return found

    by_rule = {decision.rule: decision.id for decision in report.decisions if decision.rule != "FLEX001"}
    assert choose("rule", "FLEX002") == [by_rule["FLEX002"]]
    assert choose("model", "C") == [by_rule["FLEX003"]]
    assert len(choose("status", "would-fix")) == 2
    assert len(choose("verdict", "ok")) == 2 and len(choose("verdict", "none")) == 2
    assert choose("text", report.decisions[0].id) == [report.decisions[0].id]
    assert len(shown(page)) == 4


def test_keys_choose_and_the_export_is_what_the_command_reads(page, report, tmp_path):
    page.press("jajrju")
    page.press("e")
    text = page.run("document.querySelector('#exported textarea').value")
    (tmp_path / "decisions.json").write_text(text)
    choices = read_choices(tmp_path / "decisions.json")
    first, second, *_ = report.decisions
    assert choices.rejected() == {second.id}
    assert choices.said[first.id]["verdict"] == "accepted" and choices.others == "accept"
    page.run("$('others').click(); exportDecisions()")
    (tmp_path / "decisions.json").write_text(page.run("document.querySelector('#exported textarea').value"))
    others = read_choices(tmp_path / "decisions.json")
    assert others.rejected_among(report.decisions) == {d.id for d in report.decisions[1:]}
    downloaded = page.run("fetch($('download').href).then((r) => r.text()).catch(() => 'refused')")
    assert downloaded in ("refused", page.run("document.querySelector('#exported textarea').value"))


def test_buttons_choose_and_undo(page):
    page.run("document.querySelectorAll('article button[data-choice=rejected]')[1].click()")
    assert page.run("articles[1].dataset.choice") == "rejected"
    page.run("document.querySelectorAll('article button[data-choice=rejected]')[1].click()")
    assert page.run("articles[1].dataset.choice") is None


def test_side_by_side_shows_both_texts(page):
    page.press("s")
    left, right = page.run(
        "[0, 1].map((side) => [...document.querySelector('table.sides').rows]"
        ".filter((row) => row.className !== 'hunk')"
        ".map((row) => row.cells[side * 2 + 1].textContent).join('\\n'))"
    )
    assert "if attention_mask.dim() == 2:" in left and "isinstance" not in left
    assert "if isinstance(attention_mask, torch.Tensor) and" in right
    page.press("s")
    assert page.run("document.querySelectorAll('table.sides').length") == 0


def test_graph_way_of_the_mask_and_verdicts(page):
    page.run(OPEN_ALL)
    assert page.run("document.querySelectorAll('article:first-of-type svg circle').length") == 2
    assert "the BlockMask enters A.forward" in page.run("document.querySelector('.way').textContent")
    cells = page.run(
        "[...document.querySelectorAll('#verification td')].map((c) => c.textContent + '|' + c.className)"
    )
    assert "crash → ok|v-ok" in cells and "ok → wrong|v-worse" in cells
    assert "ok|v-worse" in cells and "ok → gone|v-worse" in cells


def test_verdicts_that_come_later_make_the_same_page(report):
    draft = render(report)
    assert 'class="verdicts"' not in draft
    assert with_verdicts(draft, VERDICTS) == render(report, VERDICTS)


def test_a_page_without_verdicts_shows_no_trace_of_them(browser, report, tmp_path):
    (tmp_path / "report.html").write_text(render(report))
    browser.open(tmp_path / "report.html")
    browser.run(OPEN_ALL)
    assert "verif" not in browser.run("document.body.innerText").replace(str(tmp_path), "")
    assert browser.run("$('f-verdict')") is None and browser.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_follow_the_reader(browser, report, tmp_path, dark):
    (tmp_path / "report.html").write_text(render(report))
    browser.resize(1200, dark=dark)
    browser.open(tmp_path / "report.html")
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    browser.press("t")
    assert browser.run("getComputedStyle(document.body).backgroundColor") != background


def test_fits_a_telephone(page):
    page.resize(360)
    page.run(OPEN_ALL)
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.press("s")
    assert page.run("document.documentElement.scrollWidth") <= 360


def test_five_hundred_files_open_at_once(browser, report: Report, tmp_path: Path):
    change = report.decisions[0].changes[0]
    big = replace(change, before=change.before * 20, after=change.after * 20)
    report.decisions[0].changes = tuple(replace(big, name=f"models/m{n}/f.py") for n in range(500))
    page = tmp_path / "report.html"
    page.write_text(render(report))
    browser.open(page)
    assert browser.run("document.querySelectorAll('article details.diff').length") == 502
    assert browser.run("document.querySelectorAll('table.unified').length") == 1
    took = browser.run("performance.getEntriesByType('navigation')[0].domInteractive")
    assert took < 60_000  # a page that renders everything would not be done
