"""Runs and approvals as people read them, and as machines do."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from engine.cli.asks import print_approval
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.text import block, short, visible
from engine.core.conditions import in_words
from engine.core.limits import RAISABLE
from engine.core.run import Run, pending_of
from engine.core.secrecy import Secrecy
from engine.core.states import State

if TYPE_CHECKING:
    from engine.core.events import Recorded

_TIME = "%Y-%m-%d %H:%M:%S"


def print_run(run: Run, settings: Settings) -> None:
    """Print where a run is, and what can be done about it, without its secrets."""
    run = Secrecy.of(run).told(run)
    if settings.json:
        print_json(run)
        return
    turns = "turn" if run.turns == 1 else "turns"
    tokens = f", {run.usage.total_tokens} tokens" if run.usage.total_tokens else ""
    click.echo(
        f"\nRun {run.id} ({visible(run.workflow)}) is {run.state}"
        f" at seq {run.seq}, after {run.turns} {turns}{tokens}."
    )
    if run.answer:
        click.echo(f"Answer: {block(run.answer)}")
    if run.reason:
        click.echo(f"Reason: {block(run.reason)}")
    if run.limit and not run.approvals:
        click.echo(f"Limit: {visible(run.limit)}{way_on(run, settings)}")
    if run.found:
        click.echo(f"Found so far: {block(run.found)}")
    _print_waiting(run, settings)
    for call in run.calls if run.state is State.Aborted else ():
        if call.status in ("started", "interrupted"):
            named = f"{visible(call.id)} ({visible(call.tool)})"
            click.echo(f"IN DOUBT: {named} was started, without a result.")


def way_on(run: Run, settings: Settings) -> str:
    """How a run that was aborted at a limit is revived; empty where it cannot be."""
    if run.state is not State.Aborted or run.limit not in RAISABLE or run.erased:
        return ""
    return (
        f"; to raise it and go on: {settings.hint('resume', run.id, '--raise', f'{run.limit}=+N')}"
    )


def _print_waiting(run: Run, settings: Settings) -> None:
    """Print what waits for a person, and what else bears on it."""
    for message in run.inbox:
        click.echo(f"The customer wrote meanwhile: {block(message.content or '')}")
    for rule in run.rules:
        click.echo(
            f"Allowed beforehand by {visible(rule.by)}: {visible(rule.tool)} while"
            f" {visible(in_words(rule.when))}\n"
            f"  take back: {settings.hint('revoke', run.id, rule.id)}"
        )
    for approval in run.approvals:
        click.echo()
        print_approval(pending_of(run, approval), settings)
    for line in _tried(run):
        click.echo(line)
    if run.state in (State.AwaitingModel, State.DispatchingTools):
        go_on = settings.hint("resume", run.id)
        click.echo("It is left to a worker (waystation worker), or driven elsewhere.")
        click.echo(f"To go on here: {go_on}")


def _tried(run: Run) -> Iterator[str]:
    """What came to nothing, and when it is tried again."""
    if run.failure and run.retry_at:
        times = f"{run.failures} times, at last" if run.failures > 1 else "once"
        yield (
            f"The model failed {times} with: {short(run.failure, 200)}\n"
            f"  it is asked again at {run.retry_at:{_TIME}} UTC"
        )
    for call in run.calls:
        if call.error and call.retry_at:
            yield (
                f"{visible(call.id)} ({visible(call.tool)}) failed with: {short(call.error, 200)}\n"
                f"  it is tried again at {call.retry_at:{_TIME}} UTC"
            )


def print_transcript(run: Run) -> None:
    """Print who said what."""
    for message in run.messages:
        for call in message.tool_calls:
            click.echo(
                f"  {message.role} asks for {visible(call.function.name)} ({visible(call.id)}): "
                f"{short(call.function.arguments, 200)}"
            )
        if message.content:
            who = f"{message.role} {visible(message.tool_call_id or '')}".rstrip()
            click.echo(f"  {who}: {block(message.content)}")


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
