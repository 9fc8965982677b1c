"""Runs and approvals as people read them, and as machines do."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

import click
from pydantic import BaseModel

from engine.cli.options import Settings
from engine.cli.text import short, visible
from engine.core.run import Approval, PendingApproval, Run
from engine.core.states import State

if TYPE_CHECKING:
    from engine.core.events import Recorded

_DIGEST_SHOWN = 12
_TIME = "%Y-%m-%d %H:%M:%S"


def print_json(value: BaseModel | Sequence[BaseModel] | Mapping[str, object]) -> None:
    """Print the value as JSON; every character outside ASCII is escaped, so it is inert."""
    plain: object = value
    if isinstance(value, BaseModel):
        plain = value.model_dump(mode="json")
    elif not isinstance(value, Mapping):
        plain = [one.model_dump(mode="json") for one in value]
    click.echo(json.dumps(plain))


def print_run(run: Run, settings: Settings) -> None:
    """Print where a run is, and what can be done about it."""
    if settings.json:
        print_json(run)
        return
    turns = "turn" if run.turns == 1 else "turns"
    tokens = f", {run.usage.total_tokens} tokens" if run.usage.total_tokens else ""
    click.echo(
        f"\nRun {run.id} ({run.workflow}) is {run.state}"
        f" at seq {run.seq}, after {run.turns} {turns}{tokens}."
    )
    if run.answer:
        click.echo(f"Answer: {_block(run.answer)}")
    if run.reason:
        click.echo(f"Reason: {_block(run.reason)}")
    if run.found:
        click.echo(f"Found so far: {_block(run.found)}")
    for approval in run.approvals:
        click.echo()
        print_approval(approval, run.id, settings)
    if run.state in (State.AwaitingModel, State.DispatchingTools):
        go_on = settings.hint(f"resume {run.id}")
        click.echo("It is left to a worker (waystation worker), or driven elsewhere.")
        click.echo(f"To go on here: {go_on}")
    for call in run.calls if run.state is State.Aborted else ():
        if call.status in ("started", "interrupted"):
            click.echo(f"IN DOUBT: {call.id} ({visible(call.tool)}) was started, without a result.")


def print_approval(approval: Approval, run_id: str, settings: Settings) -> None:
    """Print exactly what a person is asked to allow, and how to say so."""
    click.echo(_asks(approval))
    for name, value in sorted(approval.arguments.items()):
        shown = name if name.isidentifier() else _value(name)
        click.echo(f"    {visible(shown)}: {_value(value)}")
    click.echo(
        f"  run {run_id}, call {approval.call_id}, digest {approval.digest[:_DIGEST_SHOWN]},"
        f" asked {approval.requested_at:{_TIME}} UTC"
    )
    for verb, line in _verdicts(approval, run_id, settings):
        click.echo(f"  {verb:<7} {line}")


def print_pending(approvals: Sequence[PendingApproval], settings: Settings) -> None:
    """Print the waiting list, the oldest first."""
    if settings.json:
        print_json(approvals)
    elif not approvals:
        click.echo("Nothing waits for approval.")
    else:
        for place, approval in enumerate(approvals):
            click.echo("\n" if place else "", nl=False)
            print_approval(approval, approval.run_id, settings)


def print_transcript(run: Run) -> None:
    """Print who said what."""
    for message in run.messages:
        for call in message.tool_calls:
            click.echo(
                f"  {message.role} asks for {visible(call.function.name)} ({call.id}): "
                f"{short(call.function.arguments, 200)}"
            )
        if message.content:
            who = f"{message.role} {message.tool_call_id or ''}".rstrip()
            click.echo(f"  {who}: {_block(message.content)}")


def print_journal(journal: "Sequence[Recorded]", settings: Settings) -> None:
    """Print one line an event."""
    if settings.json:
        print_json(journal)
        return
    for one in journal:
        fields = one.event.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
        click.echo(
            f"{one.seq:>4}  {one.at:{_TIME}}  {one.event.kind:<18} "
            f"{short(json.dumps(fields), 300) if fields else ''}".rstrip()
        )


def _asks(approval: Approval) -> str:
    tool, reason = visible(approval.tool), visible(approval.reason or "")
    match approval.kind:
        case "in_doubt":
            return (
                f"IN DOUBT: {tool} was started, and it is not known whether it happened\n"
                f"({reason}). It was started with:"
            )
        case "changed":
            return (
                f"CHANGED CODE: {reason}. If you go on,\n"
                "the call is judged by today's code: checked, asked about, or refused. It was:"
            )
        case "tool_call":
            return f"{tool} wants to run with:"
        case other:
            assert_never(other)


def _verdicts(approval: Approval, run_id: str, settings: Settings) -> Iterator[tuple[str, str]]:
    """What a person can say, each as a command line."""
    call = f"{run_id} --call {approval.call_id} --digest {approval.digest[:_DIGEST_SHOWN]}"
    match approval.kind:
        case "in_doubt":
            yield "again:", settings.hint(f"approve {call} --retry")
            yield "it did:", f'{settings.hint(f"answer {call}")} --result "..."'
        case "changed":
            yield "go on:", settings.hint(f"resume {run_id} --accept-changes")
        case "tool_call":
            yield "allow:", settings.hint(f"approve {call}")
        case other:
            assert_never(other)
    verb = "forget:" if approval.kind == "in_doubt" else "refuse:"
    yield verb, f'{settings.hint(f"deny {call}")} --reason "..."'


def _value(value: object) -> str:
    """An argument in full, as JSON, with its length where it is too long to take in at a glance."""
    text = visible(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 1000 else f"{text}  ({len(text)} characters)"  # noqa: PLR2004 # half a screen


def _block(text: str) -> str:
    return visible(text.rstrip("\n"), keep="\n").replace("\n", "\n    ")
