from __future__ import annotations

import ast
import os
import re
import socket
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codemods.source.problem import SourceError
from codemods.source.text import SourceFile, decode_source, read_source

BOM = b"\xef\xbb\xbf"
NOT_UTF_8 = "is not utf-8 text; save the file as UTF-8 or declare its encoding"
NO_ENCODING = "is no text encoding known to Python; correct the encoding comment"


def decode(raw: bytes) -> SourceFile:
    return decode_source(Path("a.py"), "a.py", raw)


def refusal(raw: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        decode(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("raw", "text", "encoding", "has_bom", "newline"),
    [
        (b"", "", "utf-8", False, "\n"),
        (b"x = 1\n", "x = 1\n", "utf-8", False, "\n"),
        (b"x = 1", "x = 1", "utf-8", False, "\n"),
        (b"x = 1\r\ny = 2\r\n", "x = 1\r\ny = 2\r\n", "utf-8", False, "\r\n"),
        (b"x = 1\ry = 2\r", "x = 1\ry = 2\r", "utf-8", False, "\r"),
        (b"x = 1\r\ny = 2\nz = 3\n", "x = 1\r\ny = 2\nz = 3\n", "utf-8", False, "\n"),
        (b"x = 1\r\ny = 2\n", "x = 1\r\ny = 2\n", "utf-8", False, "\n"),
        (b"\x0cx = 1\n\tif x:\n", "\x0cx = 1\n\tif x:\n", "utf-8", False, "\n"),
        (BOM + b"x = 1\n", "x = 1\n", "utf-8", True, "\n"),
        (BOM + b"# coding: utf-8\r\n", "# coding: utf-8\r\n", "utf-8", True, "\r\n"),
        ("# é\n".encode(), "# é\n", "utf-8", False, "\n"),
        (b"# coding: latin-1\n# \xe9\n", "# coding: latin-1\n# é\n", "iso-8859-1", False, "\n"),
        (b"# coding: latin-1 R\xe9mi\n", "# coding: latin-1 Rémi\n", "iso-8859-1", False, "\n"),
        (b"#!python\n# coding: cp1252\n# \x80", "#!python\n# coding: cp1252\n# €", "cp1252", False, "\n"),
        (b"#\r# coding: latin-1\r# \xe9\r", "#\r# coding: latin-1\r# é\r", "iso-8859-1", False, "\r"),
        (b'"""coding: klingon"""\n', '"""coding: klingon"""\n', "utf-8", False, "\n"),
        (b"x = 1\n# coding: klingon\n", "x = 1\n# coding: klingon\n", "utf-8", False, "\n"),
    ],
)  # fmt: skip
def test_decoded_exactly(raw: bytes, text: str, encoding: str, has_bom: bool, newline: str) -> None:
    source = decode(raw)
    assert source == SourceFile(Path("a.py"), "a.py", raw, text, encoding, has_bom, newline)
    assert source.encode(source.text) == raw


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"x = '\xe9'\n", f"a.py:1:6: byte 0xe9 {NOT_UTF_8}"),
        (b"x = 1\r\ny = 'caf\xe9'\r\n", f"a.py:2:9: byte 0xe9 {NOT_UTF_8}"),
        ("é = '".encode() + b"\xff'", f"a.py:1:6: byte 0xff {NOT_UTF_8}"),
        (BOM + b"x = '\xff'", f"a.py:1:6: byte 0xff {NOT_UTF_8}"),
        (b"# coding: ascii\n'\xff'",
         "a.py:2:2: byte 0xff is not ascii text; save the file as UTF-8 or declare its encoding"),
        (b"x = 1\ny = '\0'\n", "a.py:2:6: null byte: this is not Python source"),
        (b"._\0\x05\x16\x07", "a.py:1:3: null byte: this is not Python source"),
        ("\ufeffx = 1\n".encode("utf-16-le"),
         "a.py:1:1: UTF-16 text, which Python does not read; save the file as UTF-8"),
        ("\ufeffx = 1\n".encode("utf-32-be"),
         "a.py:1:1: UTF-32 text, which Python does not read; save the file as UTF-8"),
        (b"#!python\n# coding: klingon\n", f"a.py:2:11: 'klingon' {NO_ENCODING}"),
        (b"# coding: hex\n", f"a.py:1:11: 'hex' {NO_ENCODING}"),
        (b"# coding: undefined\n", f"a.py:1:11: 'undefined' {NO_ENCODING}"),
        (BOM + b"# coding: latin-1\n",
         "a.py:1:11: the byte order mark says UTF-8, the encoding comment 'iso-8859-1'; remove one of them"),
        (b"# coding: utf-7\n'+AOk-'",
         "a.py:1:11: text in 'utf-7' cannot be written back byte for byte; save the file as UTF-8"),
    ],
)  # fmt: skip
def test_refused_in_one_line(raw: bytes, problem: str) -> None:
    assert refusal(raw) == problem


def test_new_text_keeps_mark_and_encoding() -> None:
    assert decode(BOM + b"x = 1\n").encode("x = 'é'\n") == BOM + b"x = '\xc3\xa9'\n"
    assert decode(b"# coding: latin-1\n").encode("# coding: latin-1\n'é'") == b"# coding: latin-1\n'\xe9'"


def test_new_text_beyond_the_encoding() -> None:
    with pytest.raises(SourceError) as caught:
        decode(b"# coding: latin-1\n").encode("# coding: latin-1\nx = '→'")
    expected = r"a.py:2:6: character '\u2192' does not exist in this file's encoding, iso-8859-1"
    assert str(caught.value) == expected


def test_name_is_what_messages_say(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n")
    assert read_source(path).name == path.as_posix()
    assert read_source(path, "models/a.py").name == "models/a.py"
    assert read_source(path).path == path


def read_refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read_source(path, "named.py")
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert read_refusal(tmp_path / "gone.py") == "named.py:1:1: no such file or folder"


def test_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"")
    assert read_refusal(tmp_path / "a.py" / "b.py") == "named.py:1:1: no such file or folder"


def test_impossible_name() -> None:
    assert read_refusal(Path("a\0b.py")) == "named.py:1:1: not a possible file name"


def test_folder(tmp_path: Path) -> None:
    refused = "named.py:1:1: not a regular file; name a Python file or a folder"
    assert read_refusal(tmp_path) == refused


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    refused = "named.py:1:1: not a regular file; name a Python file or a folder"
    assert read_refusal(tmp_path / "a.py") == refused


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("a.py")
        refused = "named.py:1:1: not a regular file; name a Python file or a folder"
        assert read_refusal(tmp_path / "a.py") == refused


def test_device() -> None:
    refused = "named.py:1:1: not a regular file; name a Python file or a folder"
    assert read_refusal(Path(os.devnull)) == refused


def test_forbidden(shared_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]]) -> None:
    path = shared_folder / "a.py"
    path.write_bytes(b"x = 1\n")
    path.chmod(0)
    with ordinary_user():
        assert read_refusal(path) == "named.py:1:1: cannot be read: Permission denied"


def test_link_is_read_through(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\n")
    (tmp_path / "b.py").symlink_to("a.py")
    assert read_source(tmp_path / "b.py").text == "x = 1\n"


cookies = st.sampled_from(
    [b"", BOM, b"# coding: utf-8\n", b"# coding: Latin_1\r", b"#\n# coding: ascii\r\n", b"# coding=gb18030\n"]
)
bodies = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\r", b"\x0c", b"\t", b"x = 1", b"'\xc3\xa9'", b"'\xe9'", b"#\xff"])
    | st.binary(max_size=4)
).map(b"".join)


@given(cookies, bodies)
def test_round_trip(cookie: bytes, body: bytes) -> None:
    raw = cookie + body
    try:
        source = decode(raw)
    except SourceError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert source.encode(source.text) == raw


@given(cookies, bodies)
@example(b"# coding: latin-1\n", b"'\xe9'")
@example(b"", b"#\r# coding: latin-1\r'\xe9'")
def test_what_python_reads_reads_the_same(cookie: bytes, body: bytes) -> None:
    raw = cookie + body
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            meaning = ast.dump(ast.parse(raw))
        except (SyntaxError, ValueError):
            return
        try:
            source = decode(raw)
        except SourceError as error:  # a comment in another encoding, or a text with two spellings
            assert re.search("cannot be written back|byte 0x.. is not", error.problem.message)
        else:
            assert ast.dump(ast.parse(source.text)) == meaning
