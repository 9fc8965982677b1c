"""An entry of a journal as one line of the log, and back."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from engine.codec.chain import AuditKeys, Place, cover
from engine.codec.events import from_ticks, ticks
from engine.core.secrecy import NOTHING_SECRET, Secrecy
from engine.core.shape import Shape
from engine.errors import CorruptRunError
from engine.journal.walk import Step
from engine.ports import Entry

EVENT = "transition"  # what structlog calls each of these lines
REFUSED = "refused"  # and those that tell whom it was refused to decide
SCHEMA = 1
SCHEMA_MARKED = 2  # of lines under a key, or with something masked

_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LogLine(Shape):
    """One transition of one run. `run_id` and `seq` name it; the first `seq` is 1.

    `trigger` is the kind of the event, `data` its fields but the kind, with `v` where its
    shape is not the first. `digest` chains the event to the one before; `key` is the id of
    the audit key that it is made with. Where `cover` is given, something in `data` was
    masked: `digest` is that of the event as it was, `cover` binds to it what is left.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)  # loggers add their own

    event: Literal["transition"]
    version: Literal[1, 2] = Field(alias="schema")
    run_id: str
    seq: int = Field(ge=1, le=2**53)
    workflow: str
    trigger: str
    source: str | None
    dest: str
    at: AwareDatetime
    data: dict[str, Any]  # it was read as JSON: to ask of each value whether it is takes as long
    digest: _Digest
    key: str = ""
    cover: _Digest | Literal[""] = ""


class Line(NamedTuple):
    """One transition as the log tells it; `secrecy` knows what must not be told.

    `previous` is the digest before it, where that is known.
    """

    run_id: str
    workflow: str
    source: str | None
    dest: str
    entry: Entry
    secrecy: Secrecy = NOTHING_SECRET
    previous: bytes = b""

    def require_told_of(self, step: Step) -> None:
        """Nothing; CorruptRunError where the line says of the step what its digest does not."""
        before = step.before and step.before.state
        if (self.workflow, self.source, self.dest) != (step.run.workflow, before, step.run.state):
            raise CorruptRunError(
                f"run {self.run_id} is damaged at seq {self.entry.seq}: "
                "its line tells of another transition than its event makes"
            )


def read_line(raw: bytes) -> Line:
    """The line again; ValueError where it is none."""
    try:
        said = LogLine.model_validate(orjson.loads(raw))
        data = orjson.dumps(said.data, option=orjson.OPT_SORT_KEYS)
    except ValidationError as error:
        raise ValueError(_in_words(error)) from error
    except orjson.JSONEncodeError as error:  # it is read at a depth at which it is not written
        raise ValueError(f"data: {error}") from error
    entry = Entry(
        seq=said.seq,
        at=ticks(said.at),
        kind=said.trigger,
        data=data,
        digest=bytes.fromhex(said.digest),
        key=said.key,
        cover=bytes.fromhex(said.cover),
    )
    return Line(said.run_id, said.workflow, said.source, said.dest, entry)


def masked(line: Line, keys: AuditKeys) -> Entry:
    """The entry without what must not leave the store; the same one where it holds no secret."""
    entry = line.entry
    data = line.secrecy.masked(entry.kind, entry.data)
    if data == entry.data:
        return entry
    place = Place(line.run_id, entry.seq, entry.at, entry.kind)
    link, key = (line.previous, entry.digest), entry.key or keys.newest
    return entry._replace(data=data, cover=cover(link, place, data, keys, key))


def fields_of(
    line: Line, keys: AuditKeys, read: Callable[[bytes], object] = orjson.loads
) -> dict[str, object]:
    """The fields of a line but `event`; what people and models wrote is all below `data`.

    That is what `read` makes of the JSON: orjson.Fragment, where orjson writes it again as it is.
    """
    entry = masked(line, keys)
    marks = {"key": entry.key, "cover": entry.cover.hex()}
    said = {name: value for name, value in marks.items() if value}
    return {
        "schema": SCHEMA_MARKED if said else SCHEMA,
        "run_id": line.run_id,
        "seq": entry.seq,
        "workflow": line.workflow,
        "trigger": entry.kind,
        "source": line.source and str(line.source),
        "dest": str(line.dest),
        "at": from_ticks(entry.at).isoformat(timespec="microseconds"),
        "data": read(entry.data),
        "digest": entry.digest.hex(),
        **said,
    }


def raw_line(line: Line, keys: AuditKeys) -> bytes:
    """The line as it stands in a log file."""
    return orjson.dumps({**fields_of(line, keys, orjson.Fragment), "event": EVENT}) + b"\n"


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
