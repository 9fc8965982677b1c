"""Digests over canonical JSON (RFC 8785), and the strict JSON that a model's arguments must be."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NoReturn

import orjson
import rfc8785
from pydantic import JsonValue

# The readers of checkpoints and events stop near 200 levels, and arguments stand inside others.
MAX_DEPTH = 64


def digest(value: JsonValue) -> str:
    """The SHA-256 of `value` as RFC 8785 canonical JSON, in hex (64 characters).

    Raises ValueError for what that form cannot hold: NaN, infinities, integers
    past 2^53, lone surrogates.
    """
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def action_digest(
    tool: str,
    arguments: Mapping[str, JsonValue],
    schema: Mapping[str, JsonValue],
    policy: Mapping[str, JsonValue],
) -> str:
    """The digest that binds an approval: tool, validated arguments, the tool's schema, the policy.

    A plain "always" says nothing as a `policy`, and stands for itself.
    """
    action: dict[str, JsonValue] = {"tool": tool, "arguments": {**arguments}, "schema": {**schema}}
    return digest({**action, "policy": {**policy}} if policy else action)


def idempotency_key(run_id: str, call_id: str) -> str:
    """A key (32 hex characters) that is the same at every attempt of one call, whoever runs it."""
    written = orjson.dumps([run_id, call_id])  # as RFC 8785 has it, where there are texts alone
    return hashlib.sha256(written).hexdigest()[:32]


def parse_object(text: str) -> dict[str, JsonValue]:
    """The JSON object that `text` is.

    Raises ValueError, in words for the model, for anything else: broken JSON,
    duplicate keys, NaN, integers past 2^53, lone surrogates, nesting too deep to read.
    """
    try:
        value = _JSON.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object is needed, not {type(value).__name__}")  # noqa: TRY004 # one error type for every kind of bad text
    require_canonical(value)
    return value


def require_canonical(value: JsonValue) -> None:
    """Nothing, or ValueError where RFC 8785, or a reader of ordinary depth, cannot hold `value`."""
    if _is_plain(value):
        return
    if _deeper_than(value, MAX_DEPTH):
        raise ValueError(f"nested too deeply: at most {MAX_DEPTH} levels are read")
    rfc8785.dumps(value)


def _is_plain(value: JsonValue) -> bool:
    """Whether it is certain that both can, by a look that takes little; mostly it is."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except TypeError:
        return False
    levels = written.count(b"{") + written.count(b"[")  # or more: some stand in a text
    return levels <= MAX_DEPTH and b"null" not in written  # which infinities are written as


def _deeper_than(value: JsonValue, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value
    if isinstance(children, str) or not isinstance(children, Iterable):
        return False
    return not levels or any(_deeper_than(child, levels - 1) for child in children)


def _no_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands there twice")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
