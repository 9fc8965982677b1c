"""Strict function schemas, where a tool's parameters can be said in that subset.

The subset is OpenAI's for structured outputs: every object closed, every property
required, few keywords. A parameter with a default becomes a required one that may
be null, and null is read as the default.
"""

from collections.abc import Mapping

from pydantic import JsonValue

_KEYWORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "description",
        "title",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
    ]
)


def null_means_absent(schema: Mapping[str, JsonValue]) -> frozenset[str]:
    """The optional top-level parameters whose own schema has no null: there it says "left out"."""
    properties = schema.get("properties")
    parts = properties if isinstance(properties, dict) else {}
    return frozenset(name for name in _optional(schema) if not _takes_null(parts[name]))


def _optional(schema: Mapping[str, JsonValue]) -> frozenset[str]:
    properties, required = schema.get("properties"), schema.get("required")
    names = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    return frozenset(name for name in names if name not in needed)


def _takes_null(part: JsonValue) -> bool:
    if not isinstance(part, dict) or not part.keys() & {"type", "anyOf", "enum", "const"}:
        return True  # nothing said against it
    kind, choices, any_of = part.get("type"), part.get("enum", []), part.get("anyOf", [])
    return (
        kind == "null"
        or (isinstance(kind, list) and "null" in kind)
        or (isinstance(choices, list) and None in choices)
        or (isinstance(any_of, list) and any(_takes_null(one) for one in any_of))
    )


def strict_schema(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """`schema` in the strict subset, or None where it cannot be said there."""
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        return None
    optional = _optional(schema)
    widened: dict[str, JsonValue] = {
        name: _nullable(part) if name in optional else part for name, part in properties.items()
    }
    candidate: dict[str, JsonValue] = {
        **schema,
        "properties": widened,
        "required": list(widened),
        "additionalProperties": False,
    }
    return candidate if schema.get("additionalProperties") is False and _fits(candidate) else None


def _nullable(part: JsonValue) -> JsonValue:
    if not isinstance(part, dict):
        return part
    bare = {key: value for key, value in part.items() if key not in ("default", "description")}
    said = {"description": part["description"]} if "description" in part else {}
    return {"anyOf": [bare, {"type": "null"}], **said}


def _fits(part: JsonValue) -> bool:
    if not isinstance(part, dict) or not part or not part.keys() <= _KEYWORDS:
        return False
    properties = part.get("properties")
    if part.get("type") == "object" and not (
        isinstance(properties, dict)
        and part.get("additionalProperties") is False
        and part.get("required") == list(properties)
    ):
        return False
    return all(_fits(child) for child in _children(part))


def _children(part: Mapping[str, JsonValue]) -> list[JsonValue]:
    named = [part[key] for key in ("properties", "$defs") if key in part]
    children = [child for group in named if isinstance(group, dict) for child in group.values()]
    any_of = part.get("anyOf")
    children += any_of if isinstance(any_of, list) else []
    return [*children, part["items"]] if "items" in part else children
