"""The command from end to end: real processes, real git, every kind of source on this machine."""

from __future__ import annotations

import shutil
import subprocess

import jsonschema

from codemods.fleet.pages.as_json import schema

from .conftest import MODEL, TINY, commit, git


def snapshot(root):
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()}


def test_every_local_source_gives_the_same_patch_and_stays_as_it_was(checkout, fleet, rows, tmp_path):
    here = checkout("here")
    git(tmp_path, "clone", "-q", "--bare", str(here), str(tmp_path / "bare.git"))
    shutil.copytree(here, tmp_path / "plain", ignore=shutil.ignore_patterns(".git"))
    for kind in ("zip", "gztar"):
        shutil.make_archive(str(tmp_path / f"packed-{kind}"), kind, tmp_path / "plain")
    (tmp_path / "packed-zip.zip").rename(tmp_path / "pkg-1.0-py3-none-any.whl")
    before = snapshot(tmp_path)
    done = fleet("run", here, "bare.git", "plain", "pkg-1.0-py3-none-any.whl", "packed-gztar.tar.gz")
    assert done.returncode == 0, done.stderr
    assert "5 repositories: 5 done. 5 findings, 5 mended in 5 files." in done.stderr
    assert {p: s for p, s in snapshot(tmp_path).items() if p in before} == before
    patches = [(tmp_path / "fleet/results" / name / "patch.diff").read_bytes() for name in rows()]
    assert len(patches) == 5
    assert set(patches) == {patches[0]}
    subprocess.run(["git", "apply", "-"], input=patches[0], cwd=here, check=True)
    assert (here / TINY).read_text() != MODEL
    assert {row["content"] for row in rows().values()} == {rows()["here"]["content"]}


def test_the_page_keeps_to_its_schema_and_every_link_leads_somewhere(checkout, fleet, rows, tmp_path):
    fleet("run", checkout("fork"), "nowhere")
    import json

    page = json.loads((tmp_path / "fleet/fleet.json").read_text())
    jsonschema.validate(page, schema())
    assert rows()["nowhere"]["state"] == "failed"
    for path in rows()["fork"]["artifacts"].values():
        assert (tmp_path / "fleet" / path).is_file()


def test_equal_content_is_planned_once(checkout, fleet, rows):
    forks = [checkout(f"fork{number}", {"README.md": f"fork {number}"}) for number in range(4)]
    fleet("run", *forks, "-j", "1")
    reused = [row["stages"][1]["reused"] for row in rows().values()]
    assert reused == [False, True, True, True]


def test_a_ref_a_subdirectory_and_options_are_per_repository(checkout, fleet, rows, tmp_path):
    here = checkout("here")
    old = git(here, "rev-parse", "--short", "HEAD")
    (here / TINY).write_text("# nothing is left\n")
    commit(here, "two")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(
        f'{{"path": "{here}", "name": "new"}}\n'
        f'{{"path": "{here}", "name": "old", "ref": "{old}"}}\n'
        f'{{"path": "{here}", "name": "ignoring", "ref": "{old}", "ignore": ["FLEX001"]}}\n'
        f'{{"path": "{here}", "name": "below", "ref": "{old}", "subdirectory": "pkg/models"}}\n'
        f'{{"path": "{here}", "name": "absent", "ref": "{old}", "subdirectory": "src"}}\n'
        f'{{"path": "{here}", "name": "missing", "ref": "v9"}}\n'
    )
    assert fleet("run", manifest).returncode == 2
    found = {name: row["numbers"].get("would_fix") for name, row in rows().items()}
    assert found == {"new": 0, "old": 1, "ignoring": 0, "below": 1, "absent": None, "missing": None}
    assert rows()["missing"]["reason"] == "there is no branch, tag or commit 'v9'"
    assert rows()["absent"]["reason"] == "has no folder 'src' with Python in it"
    patch = (tmp_path / "fleet/results/below/patch.diff").read_text()
    assert patch.startswith(f"diff --git a/{TINY} b/{TINY}\n")


def test_what_is_done_and_unchanged_is_passed_over(checkout, fleet, tmp_path):
    one, two = checkout("one"), checkout("two", {"pkg/more.py": "x = 1\n"})
    fleet("run", one, two)
    logs = [tmp_path / "fleet/results" / name / "log.txt" for name in ("one", "two")]
    before = [log.read_text() for log in logs]
    (two / "pkg/more.py").write_text("x = 2\n")
    commit(two, "two")
    assert fleet("resume").returncode == 0
    after = [log.read_text() for log in logs]
    assert after[0] == before[0]
    assert after[1].count("plan: done") == 2


def test_results_that_somebody_removed_are_made_again(checkout, fleet, tmp_path):
    fleet("run", checkout("one"))
    patch = tmp_path / "fleet/results/one/patch.diff"
    before = patch.read_bytes()
    patch.unlink()
    fleet("resume")
    assert patch.read_bytes() == before


def test_a_work_directory_within_a_repository_hides_nothing(checkout, fleet, rows, tmp_path):
    commit(tmp_path)
    assert fleet("run", checkout("one")).returncode == 0
    assert rows()["one"]["numbers"]["would_fix"] == 1
    assert "fleet" not in git(tmp_path, "status", "--short")


def test_check_tells_by_its_exit_code(checkout, fork, fleet):
    assert fleet("run", "--check", checkout("one")).returncode == 1
    assert fleet("run", "--check", fork("none", {TINY: "import torch\n"})).returncode == 0


def test_show_and_report(checkout, fleet, tmp_path):
    fleet("run", checkout("one"), "nowhere")
    shown = fleet("show", "one").stdout
    assert "plan done in" in shown
    assert "1 would fix" in shown
    patch = fleet("show", "one", "--patch").stdout
    assert patch == (tmp_path / "fleet/results/one/patch.diff").read_text()
    assert "did you mean 'one'?" in fleet("show", "onn").stderr
    assert "no such file or directory" in fleet("report").stdout
    assert fleet("report", "--format", "csv").stdout.count("\n") == 3
    assert "<!doctype html>" in fleet("report", "--format", "html").stdout


def test_mistakes_of_the_user_are_one_line(fleet, tmp_path):
    for arguments in (["status"], ["resume"], ["report"], ["show", "x"]):
        failed = fleet(*arguments)
        assert (failed.returncode, failed.stdout) == (2, "")
        assert failed.stderr == "error: fleet: no fleet here; start one with `run`\n"
    (tmp_path / "bad.toml").write_text("[[")
    assert fleet("run", "bad.toml").stderr.startswith("error: bad.toml: is not TOML: ")
    assert fleet("run", "-", stdin="\n").stderr == "error: -: names no repository\n"
    assert "no rule 'FLEX9'" in fleet("run", ".", "--select", "FLEX9").stderr
