"""An entry of a journal as one line of the log, and back."""

from dataclasses import dataclass, replace

import orjson

from engine.codec.chain import AuditKeys, Place, cover
from engine.codec.events import from_ticks
from engine.core.secrecy import NOTHING_SECRET, Secrecy
from engine.ports import Entry

EVENT = "transition"  # what structlog calls each of these lines
SCHEMA = 1
SCHEMA_MASKED = 2  # of lines under a key, or with something masked

OURS = frozenset({"schema", "run_id", "seq", "workflow", "trigger", "source", "dest", "at", "data"})
_OPTIONAL = frozenset({"key", "cover", "event", "digest"})


@dataclass(frozen=True, slots=True)
class Line:
    """One transition as the log tells it; `secrecy` is what must not be told."""

    run_id: str
    workflow: str
    source: str | None
    dest: str
    entry: Entry
    secrecy: Secrecy = NOTHING_SECRET


def masked(line: Line, keys: AuditKeys) -> Entry:
    """The entry without what must not leave the store; the same one where it holds no secret."""
    entry = line.entry
    data = line.secrecy.masked(entry.kind, entry.data)
    if data == entry.data:
        return entry
    place = Place(line.run_id, entry.seq, entry.at, entry.kind)
    return replace(entry, data=data, cover=cover(entry.digest, place, data, keys, entry.key))


def fields_of(line: Line, keys: AuditKeys) -> dict[str, object]:
    """The fields of a line; what people and models wrote is all below `data`."""
    entry = masked(line, keys)
    marks = {"key": entry.key, "cover": entry.cover.hex()}
    said = {name: value for name, value in marks.items() if value}
    return {
        "schema": SCHEMA_MASKED if said else SCHEMA,
        "run_id": line.run_id,
        "seq": entry.seq,
        "workflow": line.workflow,
        "trigger": entry.kind,
        "source": line.source and str(line.source),
        "dest": str(line.dest),
        "at": from_ticks(entry.at).isoformat(timespec="microseconds"),
        "data": orjson.loads(entry.data),
        "digest": entry.digest.hex(),
        **said,
    }
