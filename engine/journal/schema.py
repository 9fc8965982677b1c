"""The JSON Schema of a line of the log."""

from typing import Any

from pydantic import TypeAdapter

from engine.codec.versions import EVENTS, brought_later
from engine.journal.lines import LogLine

SCHEMA_ID = "urn:waystation:log-line:2"


def line_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one line, with the `data` of every kind of event.

    `schema` in a line is 2 where it has `key` or `cover`, else 1; both are described. Loggers
    may add fields of their own, and lines of another `event` are other programs'.
    """
    line = LogLine.model_json_schema(by_alias=True)
    told, definitions = TypeAdapter.json_schemas(
        [(kind, "validation", TypeAdapter(one)) for kind, one in EVENTS.items()],
        ref_template="#/$defs/{model}",
    )
    shapes = {**line.pop("$defs", {}), **definitions.get("$defs", {})}
    data = {kind: told[kind, "validation"] for kind in EVENTS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **line,
        "title": "A line of Waystation's log",
        "oneOf": [_of_kind(kind, reference) for kind, reference in data.items()],
        "$defs": {name: _told(shape) for name, shape in shapes.items()},
    }


def _of_kind(kind: str, reference: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"trigger": {"const": kind}, "data": reference}}


def _told(shape: dict[str, Any]) -> dict[str, Any]:
    """The shape as a line has it: its kind is the trigger, `v` its version if not the first."""
    properties = dict(shape.get("properties", {}))
    kind = properties.get("kind", {}).get("const")
    if kind is None:
        return shape
    del properties["kind"]
    properties["v"] = {"type": "integer", "minimum": 2}
    needed = [name for name in shape.get("required", []) if name not in brought_later(kind)]
    return {**shape, "properties": properties, "required": needed}
