"""The list of runs, shown from the rows as they are stored: listing loads nothing heavier."""

import json
from collections.abc import Mapping, Sequence

import click
import orjson

from engine.cli.text import short, visible
from engine.core.states import State
from engine.ports import Head

_SHOWN = {"id", "state", "updated_at", "workflow", "answer", "reason", "approvals"}
_WIDEST = max(len(state) for state in State)


def print_rows(heads: Sequence[Head], *, as_json: bool) -> None:
    """Print the checkpoints as one JSON array, or one line a run."""
    runs = [run for head in heads if (run := _read(head))]
    if as_json:
        click.echo(json.dumps(runs))
    elif not runs:
        click.echo("No runs.")
    for run in () if as_json else runs:
        click.echo(_line(run, max(len(head.run_id) for head in heads)))


def _read(head: Head) -> dict[str, object]:
    """The checkpoint; empty, and said so on stderr, where the row is damaged."""
    try:
        checkpoint: dict[str, object] = orjson.loads(head.checkpoint)
    except orjson.JSONDecodeError:
        checkpoint = {}
    if isinstance(checkpoint, dict) and checkpoint.keys() >= _SHOWN:
        return checkpoint
    name = visible(head.run_id)
    click.echo(f"waystation: run {name} is damaged and left out; see waystation verify", err=True)
    return {}


def _line(run: Mapping[str, object], width: int) -> str:
    when = str(run["updated_at"])[:19].replace("T", " ")
    where = f"{run['id']:<{width}}  {run['state']:<{_WIDEST}}  {when}  {run['workflow']}"
    return f"{where}  {short(_gist(run), 60)}".rstrip()


def _gist(run: Mapping[str, object]) -> str:
    """The answer, the reason for having none, or what is asked."""
    approvals = run["approvals"]
    asked = [str(one["tool"]) for one in approvals] if isinstance(approvals, list) else []
    return str(run["answer"] or run["reason"] or ", ".join(asked))
