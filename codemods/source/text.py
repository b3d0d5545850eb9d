"""Reading Python source without losing a byte, and turning it back into bytes."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from pathlib import Path

from msgspec import Struct

from codemods.source.position import split_lines
from codemods.source.problem import Problem, SourceError

NOT_REGULAR = "not a regular file; name a Python file or a folder"

# Parsing takes up to a hundred times a file's size in memory. No source that people wrote is as large.
MAXIMUM_BYTES = 4 * 1024 * 1024
TOO_LARGE = "larger than 4 MB, and not read; exclude it, or split it"

# The encoding comment of PEP 263: in the first line, or in the second after a blank or a comment.
_COOKIE = re.compile(
    rb"([ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))??" rb"[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)"
)
# Strict decoding in these maps bytes and characters one to one; others are tried out.
_ONE_TO_ONE = ("utf-8", "iso-8859-1", "ascii")
_WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class SourceFile(Struct, frozen=True):
    """One file of Python source: its bytes, and the text they stand for.

    Attributes:
        path: where it is.
        name: how messages and reports call it, with ``/`` between folders.
        raw: its bytes.
        text: its characters, without the byte order mark, every newline as it is in the file.
        encoding: what ``text`` was decoded with.
        has_bom: whether a UTF-8 byte order mark comes first.
        newline: the newline that most of its lines end with, for lines to be added.
    """

    path: Path
    name: str
    raw: bytes
    text: str
    encoding: str
    has_bom: bool
    newline: str

    def encode(self, text: str) -> bytes:
        """Return ``text`` as this file stores it. Unchanged text gives back ``raw`` exactly.

        Raises:
            SourceError: if the file's encoding lacks a character of ``text``.
        """
        try:
            data = text.encode(self.encoding)
        except UnicodeEncodeError as error:
            line, column = _position(text[: error.start])
            character = ascii(text[error.start])
            message = f"character {character} does not exist in this file's encoding, {self.encoding}"
            raise SourceError(Problem(self.name, line, column, message)) from None
        return codecs.BOM_UTF8 + data if self.has_bom else data


def read_source(path: Path, name: str | None = None) -> SourceFile:
    """Read the Python source at ``path``, honouring its byte order mark and encoding comment.

    Args:
        path: the file.
        name: how messages shall call it; the path itself when left out.

    Raises:
        SourceError: if it cannot be read, or is not text that Python would read.
    """
    name = path.as_posix() if name is None else name
    return decode_source(path, name, read_bytes(path, name))


def read_bytes(path: Path, name: str) -> bytes:
    """Return the bytes of the regular file at ``path``.

    Raises:
        SourceError: if there is none, it may not be read, or is too large to be source.
    """
    # Opening a FIFO would wait for a writer that may never come, hence no blocking.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(Problem(name, 1, 1, NOT_REGULAR))
            with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
                # It may grow meanwhile.
                data = b"" if status.st_size > MAXIMUM_BYTES else file.read(MAXIMUM_BYTES + 1)
            if max(status.st_size, len(data)) > MAXIMUM_BYTES:
                raise SourceError(Problem(name, 1, 1, TOO_LARGE))
            return data
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise SourceError(Problem(name, 1, 1, why_unreadable(error))) from None


def why_unreadable(error: OSError | ValueError) -> str:
    """Say in words why a file or folder could not be read."""
    if isinstance(error, ValueError):  # an embedded null character, or an unencodable name
        return "not a possible file name"
    if error.errno in (errno.EISDIR, errno.ENXIO):
        return NOT_REGULAR
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "no such file or folder"
    if error.errno == errno.ELOOP:
        return "a link that leads to itself"
    return f"cannot be read: {error.strerror or error}"


def decode_source(path: Path, name: str, raw: bytes) -> SourceFile:
    """Decode ``raw``, the bytes of the file at ``path``, as Python would.

    Raises:
        SourceError: if Python could not read them, or they could not be written back as they are.
    """
    _refuse_null_bytes(name, raw)
    has_bom = raw.startswith(codecs.BOM_UTF8)
    body = raw[len(codecs.BOM_UTF8) :] if has_bom else raw
    cookie = _find_cookie(body)
    if has_bom and cookie.encoding != "utf-8":
        message = (
            f"the byte order mark says UTF-8, the encoding comment {cookie.encoding!r}; remove one of them"
        )
        raise SourceError(Problem(name, cookie.line, cookie.column, message))
    try:
        text = body.decode(cookie.encoding)
    except UnicodeDecodeError as error:
        raise SourceError(_undecodable(name, body, cookie.encoding, error.start)) from None
    except (LookupError, UnicodeError):  # "hex" and its like turn bytes into bytes; "idna" is a riddle
        message = f"{cookie.encoding!r} is no text encoding known to Python; correct the encoding comment"
        raise SourceError(Problem(name, cookie.line, cookie.column, message)) from None
    source = SourceFile(path, name, raw, text, cookie.encoding, has_bom, dominant_newline(text))
    if cookie.encoding not in _ONE_TO_ONE and source.encode(text) != raw:
        message = f"text in {cookie.encoding!r} cannot be written back byte for byte; save the file as UTF-8"
        raise SourceError(Problem(name, cookie.line, cookie.column, message))
    return source


def _refuse_null_bytes(name: str, raw: bytes) -> None:
    offset = raw.find(b"\0")
    if offset < 0:
        return
    for mark, encoding in _WIDE_MARKS.items():
        if raw.startswith(mark):
            message = f"{encoding} text, which Python does not read; save the file as UTF-8"
            raise SourceError(Problem(name, 1, 1, message))
    line, column = _position(raw[:offset].decode("utf-8", "replace"))
    raise SourceError(Problem(name, line, column, "null byte: this is not Python source"))


class _Cookie(Struct, frozen=True):
    """The encoding that a file declares, and where: PEP 263's encoding comment."""

    encoding: str
    line: int = 1
    column: int = 1


def _find_cookie(body: bytes) -> _Cookie:
    """Return the encoding that ``body`` declares in its first two lines, or else UTF-8.

    ``tokenize.detect_encoding`` would do, but it refuses a name such as Rémi beside a Latin-1
    cookie, and does not see the lines of a file that ends them with a carriage return.
    """
    found = _COOKIE.match(body)
    if not found:
        return _Cookie("utf-8")
    line_before = found[1] or b""
    line = 2 if line_before else 1
    return _Cookie(_normal_name(found[2].decode("ascii")), line, found.start(2) - len(line_before) + 1)


def _normal_name(encoding: str) -> str:
    """Return the name under which Python treats ``encoding``, as its tokenizer shortens it."""
    name = encoding[:12].lower().replace("_", "-")
    if name == "utf-8" or name.startswith("utf-8-"):
        return "utf-8"
    if re.match(r"(latin-1|iso-8859-1|iso-latin-1)(-|$)", name):
        return "iso-8859-1"
    return encoding


def _undecodable(name: str, body: bytes, encoding: str, offset: int) -> Problem:
    line, column = _position(body[:offset].decode(encoding, "replace"))
    message = (
        f"byte 0x{body[offset]:02x} is not {encoding} text; save the file as UTF-8 or declare its encoding"
    )
    return Problem(name, line, column, message)


def _position(text_before: str) -> tuple[int, int]:
    """Return the line and column, from 1, of the character that follows ``text_before``."""
    lines = split_lines(text_before)
    if not lines:
        return 1, 1
    if lines[-1].endswith(("\n", "\r")):
        return len(lines) + 1, 1
    return len(lines), len(lines[-1]) + 1


def dominant_newline(text: str) -> str:
    """Return the newline that most lines of ``text`` end with."""
    if "\r" not in text:
        return "\n"
    windows = text.count("\r\n")
    unix = text.count("\n") - windows
    mac = text.count("\r") - windows
    # Equal counts: the first listed wins.
    return max((unix, "\n"), (windows, "\r\n"), (mac, "\r"), key=lambda counted: counted[0])[1]
