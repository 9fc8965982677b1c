"""Log files, written anew without what was erased, while others may append to them."""

import gzip
import os
import re
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from engine.errors import EngineError
from engine.journal.lines import EVENT, REFUSED
from engine.runtime.logfile import lock_patiently, size_at
from engine.stores.folders import sync_folder

Lines = Mapping[str, Mapping[int, bytes]]  # by run and seq

_GZIP = b"\x1f\x8b"
_RUN = re.compile(rb'"run_id":\s*"([^"\\]{1,100})"')
_OURS = (b'"run_id"', b'"seq"', b'"trigger"', b'"digest"', b'"transition"')


@dataclass(slots=True)
class Rewritten:
    """How many lines of a file were changed, and where lines stand that may be ours, but broken."""

    changed: int = 0
    doubtful: list[int] = field(default_factory=list)


def rewrite(file: Path, runs: Lines, more: Sequence[bytes] = ()) -> Rewritten:
    """What became of the file, which has only these lines of these runs now, and `more`.

    It is another file then, under the same name; who appended to the old one goes on with
    it. A file without such lines is left as it is. Raises EngineError where it cannot be done.
    """
    file, done = file.resolve(), Rewritten()
    try:
        if not file.is_file() or not (more or _concerned(file, runs, done)):
            return done
        done = Rewritten()
        with _held(file):
            _clear(file)
            part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
            _write(file, part, lambda raw, number: _left(raw, number, runs, done), more)
            replace_durably(part, file)
    except (OSError, EOFError, zlib.error) as error:
        words = getattr(error, "strerror", None) or str(error)
        advice = "see to it, then do the same again"
        raise EngineError(
            f"{file} was not rewritten, and is as it was: {words}; {advice}"
        ) from error
    return done


def marker_of(file: Path) -> Path:
    """The second name that an archive has while its runs are being moved out of the store."""
    return file.with_name(f".{file.name}.part")


def replace_durably(part: Path, file: Path) -> None:
    """Nothing; `part` is `file` from now on, also under its second name, if it has one."""
    marker = marker_of(file)
    os.replace(part, file)  # noqa: PTH105 # named in tests
    if marker.exists():
        os.link(file, part)
        os.replace(part, marker)  # noqa: PTH105 # as above
    sync_folder(file.parent)


def _concerned(file: Path, runs: Lines, done: Rewritten) -> bool:
    with _reading(file) as stream:
        return any(_left(raw, n, runs, done) != raw for n, raw in enumerate(stream, 1))


def _clear(file: Path) -> None:
    """Nothing; what a rewriting that died has left is gone. We hold the file, so none lives."""
    for left in file.parent.glob(f".{file.name}.????????.part"):
        left.unlink()


@contextmanager
def _held(file: Path) -> Iterator[None]:
    """A context in which nobody of ours writes to what stands at that path."""
    while True:
        fd = os.open(file, os.O_RDWR)
        try:
            lock_patiently(fd)
            if size_at(fd, str(file)) is not None:
                yield
                return
        finally:
            os.close(fd)


def _write(
    file: Path, part: Path, left: Callable[[bytes, int], bytes], more: Sequence[bytes]
) -> None:
    mode = file.stat().st_mode & 0o777
    try:
        with (
            _reading(file) as lines,
            open(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as out,  # noqa: PTH123 # a new file
        ):
            os.fchmod(out.fileno(), mode)
            with _packed_as(file, out) as stream:
                raw = b"\n"
                for number, raw in enumerate(lines, 1):
                    stream.write(left(raw, number))
                if more:
                    stream.writelines([b"" if raw.endswith(b"\n") else b"\n", *more])
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    with file.open("rb") as plain:
        packed = plain.read(2) == _GZIP
        plain.seek(0)
        if not packed:
            yield plain
            return
        with gzip.GzipFile(fileobj=plain) as stream:
            yield cast(BinaryIO, stream)


@contextmanager
def _packed_as(file: Path, out: BinaryIO) -> Iterator[BinaryIO]:
    with file.open("rb") as like:
        packed = like.read(2) == _GZIP
    if not packed:
        yield out
        return
    with gzip.GzipFile("", "wb", fileobj=out) as stream:
        yield cast(BinaryIO, stream)


def _left(raw: bytes, number: int, runs: Lines, done: Rewritten) -> bytes:
    """What is left of one line; nothing of what cannot be read, but names such a run."""
    named = {one.decode("utf-8", "replace") for one in _RUN.findall(raw)}
    said = _read(raw) if named else None
    run_id = said.get("run_id") if isinstance(said, dict) else None
    left = raw
    if isinstance(said, dict) and isinstance(run_id, str) and run_id in runs:
        left = _replaced(said, raw, runs[run_id])
    elif said is None and not named.isdisjoint(runs):
        left = b""
    elif said is None and _may_be_ours(raw):
        done.doubtful.append(number)
    done.changed += left != raw
    return left


def _may_be_ours(raw: bytes) -> bool:
    """Whether a line that cannot be read may be one of ours that lacks its begin or its end."""
    lacks_end = raw.startswith(b'{"schema":') and not raw.rstrip().endswith(b"}")
    return lacks_end or (sum(mark in raw for mark in _OURS) > 1 and _read(raw) is None)


def _read(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _replaced(said: dict[str, object], raw: bytes, lines: Mapping[int, bytes]) -> bytes:
    if said.get("event") == EVENT:
        seq = said.get("seq")
        return lines.get(seq, b"") if isinstance(seq, int) else b""
    if said.get("event") == REFUSED:
        return orjson.dumps({**said, "data": {}}) + b"\n"
    return raw  # another program's
