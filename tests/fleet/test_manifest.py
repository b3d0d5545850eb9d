"""Manifests in every form, and entries that cannot be used."""

from __future__ import annotations

import io

import pytest

from codemods.fleet.manifest import ManifestError, read_manifests


def read(*words, stdin="", defaults=None):
    return read_manifests([str(word) for word in words], io.StringIO(stdin), defaults or {})


def test_toml_with_defaults_and_paths_relative_to_it(tmp_path):
    manifest = tmp_path / "fleet.toml"
    manifest.write_text("""
        [defaults]
        subdirectory = "src/pkg"
        [[repository]]
        path = "forks/one"
        ref = "v1"
        select = ["missing-passthrough"]
        [[repository]]
        git = "https://example.org/two.git"
        subdirectory = "."
        [[repository]]
        name = "three"
        pypi = "pkg==1.0"
        """)
    one, two, three = [listed.entry for listed in read(manifest)]
    assert (one.kind, one.location, one.name, one.ref) == ("path", str(tmp_path / "forks/one"), "one", "v1")
    assert (one.subdirectory, one.options) == ("src/pkg", {"select": ["FLEX001"]})
    assert (two.kind, two.name, two.subdirectory) == ("git", "two", "")
    assert (three.kind, three.location, three.name) == ("pypi", "pkg==1.0", "three")


def test_an_interpreter_is_found_from_the_manifest_or_on_the_search_path(tmp_path):
    manifest = tmp_path / "fleet.jsonl"
    manifest.write_text(
        '{"path": "a", "verify": {"python": "env/bin/python"}}\n'
        '{"path": "b", "verify": {"python": "python3"}}\n'
    )
    pythons = [listed.entry.verify["python"] for listed in read(manifest)]
    assert pythons == [str(tmp_path / "env/bin/python"), "python3"]


def test_lines_of_json_and_words(tmp_path):
    manifest = tmp_path / "fleet.jsonl"
    manifest.write_text('# forks\n{"path": "one"}\n\npkg==2.0\ngit@example.org:a/two.git\n')
    assert [(each.entry.kind, each.entry.name) for each in read(manifest)] == [
        ("path", "one"),
        ("pypi", "pkg-2.0"),
        ("git", "two"),
    ]


def test_standard_input_and_globs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    found = read("-", "[ab]", stdin="x==1\n")
    assert [each.entry.name for each in found] == ["x-1", "a", "b"]


def test_a_name_is_used_once(tmp_path):
    found = read(tmp_path / "a" / "fork", tmp_path / "b" / "Fork", tmp_path / "c" / "fork")
    assert [each.entry.name for each in found] == ["fork", "Fork-2", "fork-3"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"path": "a", "pypi": "b==1"}', "needs exactly one of path, git, pypi, and has path and pypi"),
        ('{"pth": "a"}', "no key 'pth'; did you mean 'path'?"),
        ('{"path": "a", "select": "FLEX001"}', "select must be a list of strings"),
        ('{"path": "a", "select": ["FLEX999"]}', "select: no rule 'FLEX999'"),
        ('{"path": "a", "subdirectory": "../b"}', "must lie inside the repository"),
        ('{"path": "a", "ref": "--upload-pack=x"}', "is no branch, tag or commit"),
        ('{"pypi": "a>=1"}', "must read name==version"),
        ('{"git": "--upload-pack=x"}', "is no URL"),
        ('{"path": "a", "mode": "fast"}', "mode must be one of"),
        ('{"path": "a", "verify": {"case": []}}', "verify: no key 'case'; did you mean 'cases'?"),
        ('{"path": "a", "verify": {"cases": ["blok_causal"]}}', "did you mean 'block_causal'?"),
        ('{"path": "a", "verify": {"env": "/e/bin/python"}}', "an interpreter is named by python"),
        ('{"path": ', "is not JSON"),
        ("nothing*", "nothing matches"),
    ],
)
def test_an_entry_that_cannot_be_used_says_why_and_spoils_no_other(tmp_path, line, reason):
    manifest = tmp_path / "fleet.jsonl"
    manifest.write_text(f"{line}\ngood==1\n")
    bad, good = read(manifest)
    assert reason in bad.trouble
    assert not good.trouble


@pytest.mark.parametrize("text", ["[[repository]", "[repository]\npath='a'", "[repo]\n", "[defaults]\n[x]"])
def test_a_manifest_that_is_none_is_an_error(tmp_path, text):
    manifest = tmp_path / "fleet.toml"
    manifest.write_text(text)
    with pytest.raises(ManifestError, match=r"fleet\.toml: "):
        read(manifest)


def test_what_the_command_line_says_gives_way_to_the_manifest(tmp_path):
    manifest = tmp_path / "fleet.jsonl"
    manifest.write_text('{"path": "a"}\n{"path": "b", "mode": "auto"}\n')
    first, second = read(manifest, defaults={"mode": "in-place"})
    assert (first.entry.options["mode"], second.entry.options["mode"]) == ("in-place", "auto")


def test_a_token_in_a_url_is_never_shown():
    (listed,) = read("https://me:secret@example.org/x.git")
    assert listed.entry.shown == "https://***@example.org/x.git"
