"""The list of runs, shown from the rows as they are stored: listing loads nothing heavier."""

import json
from collections.abc import Mapping, Sequence

import click
import orjson

from engine.cli.text import short, visible
from engine.core.free_fields import without_secrets
from engine.core.states import State
from engine.ports import Head

Row = dict[str, object]

_SHOWN = {"id", "state", "updated_at", "workflow", "answer", "reason", "approvals"}
_LONGEST_NAME = 100
_WIDEST = max(len(state) for state in State)


def print_rows(heads: Sequence[Head], told: Mapping[str, Row], *, as_json: bool) -> None:
    """Print the checkpoints as one JSON array, or one line a run.

    `told` has, by their ids, those that took more than themselves to be told without secrets.
    """
    rows = [(head.run_id, run) for head in heads if (run := _read(head))]
    runs = [told.get(name) or without_secrets(run) for name, run in rows]
    if as_json:
        click.echo(json.dumps(runs))
    elif not runs:
        click.echo("No runs.")
    for run in () if as_json else runs:
        click.echo(_line(run, max(len(_name(head.run_id)) for head in heads)))


def to_look_up(heads: Sequence[Head]) -> list[str]:
    """The runs whose workflow declared something secret: what it is, their journals know."""
    rows = ((head.run_id, _loaded(head)) for head in heads)
    return [name for name, run in rows if run.get("secrets") or run.get("redact")]


def _loaded(head: Head) -> Row:
    try:
        checkpoint = orjson.loads(head.checkpoint)
    except orjson.JSONDecodeError:
        return {}
    return checkpoint if isinstance(checkpoint, dict) else {}


def _read(head: Head) -> Row:
    """The checkpoint; empty, and said so on stderr, where the row is damaged."""
    checkpoint = _loaded(head)
    if checkpoint.keys() >= _SHOWN:
        return checkpoint
    name = visible(head.run_id)
    click.echo(f"waystation: run {name} is damaged and left out; see waystation verify", err=True)
    return {}


def _line(run: Mapping[str, object], width: int) -> str:
    when = str(run["updated_at"])[:19].replace("T", " ")
    where = f"{_name(run['id']):<{width}}  {run['state']:<{_WIDEST}}  {when}  {run['workflow']}"
    return f"{visible(where)}  {short(_gist(run), 60)}".rstrip()


def _name(run_id: object) -> str:
    return short(str(run_id), _LONGEST_NAME)


def _gist(run: Mapping[str, object]) -> str:
    """The answer, the reason for having none, or what is asked."""
    approvals = run["approvals"]
    asked = map(_asked, approvals) if isinstance(approvals, list) else ()
    return str(run["answer"] or run["reason"] or ", ".join(asked))


def _asked(approval: Mapping[str, object]) -> str:
    limit = "limit " if approval.get("kind") == "limit" else ""
    return f"{limit}{approval['tool']}"
