"""Lines out of log files: plain or gzip, of several programs, whole or damaged."""

import errno
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from engine.errors import BadInputError
from engine.journal.lines import REFUSED, Line, read_line

_LONGEST = 64 * 2**20  # bytes of a line
_AT_ONCE = 2**18  # bytes
_GZIP = b"\x1f\x8b"
_RUN = re.compile(rb'"run_id":\s*"([^"\\]{1,100})"')
_SEQ = re.compile(rb'"seq":\s*(\d{1,15})\b')
_OURS = (b'"run_id"', b'"seq"', b'"trigger"', b'"digest"')


@dataclass(frozen=True, slots=True)
class Damaged:
    """A line that was ours, or may have been: where it stands, and what can be told of it."""

    where: str
    words: str
    run_id: str | None = None
    seq: int | None = None


@dataclass(slots=True)
class Tally:
    """What was read: `lines` of ours, `foreign` ones of other programs, and the damaged."""

    lines: int = 0
    foreign: int = 0
    damaged: list[Damaged] = field(default_factory=list)


def read_lines(files: Iterable[Path], tally: Tally) -> Iterator[Line]:
    """The lines of ours in these files, in the order in which they stand there.

    Raises BadInputError where a file cannot be opened.
    """
    for file in files:
        for number, raw in _numbered(file, tally):
            line = _ours(raw, f"{file}:{number}", tally)
            if line is not None:
                tally.lines += 1
                yield line


def _ours(raw: bytes, where: str, tally: Tally) -> Line | None:
    """The line; None for another program's, and for a damaged one, which is noted."""
    try:
        if raw.startswith(b"{") and all(mark in raw for mark in _OURS):
            return read_line(raw)
    except ValueError as error:
        words = f"it cannot be read: {error}"
    else:
        words = "it is not whole"
        if not _may_be_ours(raw):
            tally.foreign += bool(raw.strip())
            return None
    run, seq = _RUN.search(raw), _SEQ.search(raw)
    tally.damaged.append(
        Damaged(
            where,
            words,
            run and run.group(1).decode("utf-8", "replace"),
            seq and int(seq.group(1)),
        )
    )
    return None


def _may_be_ours(raw: bytes) -> bool:
    """Whether a line that is none of ours was one before it was damaged."""
    if _is_refusal(raw):
        return False
    broken_off = not raw.endswith(b"\n") or (
        raw.startswith(b'{"schema":') and not raw.rstrip().endswith(b"}")
    )
    return broken_off or sum(mark in raw for mark in _OURS) > 1


def _is_refusal(raw: bytes) -> bool:
    """Whether it tells of what somebody was refused: whole, and no part of any run."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and said.get("event") == REFUSED


def _numbered(file: Path, tally: Tally) -> Iterator[tuple[int, bytes]]:
    number = 0
    with _opened(file) as plain:
        until_fault = _UntilFault(plain)
        stream = io.BufferedReader(until_fault, _AT_ONCE)
        while raw := stream.readline(_LONGEST):
            number += 1
            if len(raw) == _LONGEST and not _ended(raw, stream):
                words = f"it is longer than {_LONGEST} bytes"
                tally.damaged.append(Damaged(f"{file}:{number}", words))
            else:
                yield number, raw
        if until_fault.fault is not None:
            words = f"nothing more of the file can be read: {until_fault.fault}"
            tally.damaged.append(Damaged(f"{file}:{number + 1}", words))


class _UntilFault(io.RawIOBase):
    """A stream that ends at its first fault, which is noted; what stands before it is read."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.fault: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 # as its base
        try:
            found = self._stream.read1(len(buffer)) if self.fault is None else b""
        except (EOFError, OSError, zlib.error) as error:
            self.fault, found = error, b""
        buffer[: len(found)] = found
        return len(found)


def _ended(raw: bytes, stream: BinaryIO) -> bool:
    """Whether the line ends there; what there is more of it is passed over."""
    ended = True
    while not raw.endswith(b"\n") and (raw := stream.readline(_LONGEST)):
        ended = False
    return ended


def _require_an_end(file: BinaryIO) -> None:
    kind = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISFIFO(kind):
        raise OSError(errno.EINVAL, "it is neither a file nor a pipe")


@contextmanager
def _opened(file: Path) -> Iterator[io.BufferedIOBase]:
    """The file, unpacked; a pipe will do, but nothing that may have no end."""
    with ExitStack() as opened:
        try:
            plain = opened.enter_context(file.open("rb"))
            _require_an_end(plain)
            is_packed = plain.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        except OSError as error:
            raise BadInputError(f"the log {file} cannot be read: {error.strerror}") from error
        if is_packed:
            with gzip.open(plain) as unpacked:
                yield unpacked
        else:
            yield plain
