"""Open approvals, as a person reads them before deciding."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import assert_never

import click

from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.text import short, strange, visible
from engine.core.messages import Arguments
from engine.core.run import PendingApproval

_DIGEST_SHOWN = 12
_TIME = "%Y-%m-%d %H:%M:%S"
LONG = 1000  # characters: half a screen


def print_approval(asked: PendingApproval, settings: Settings) -> None:
    """Print exactly what a person is asked to allow, and how to say so."""
    for line in (*described(asked), *_verdicts(asked, settings)):
        click.echo(line)


def print_pending(approvals: Sequence[PendingApproval], settings: Settings) -> None:
    """Print the waiting list, the oldest first."""
    if settings.json:
        print_json(approvals)
    elif not approvals:
        click.echo("Nothing waits for approval.")
    else:
        for place, approval in enumerate(approvals):
            click.echo("\n" if place else "", nl=False)
            print_approval(approval, settings)


def described(asked: PendingApproval) -> Iterator[str]:
    """What is asked, with which arguments, why, and on whose terms; a line each."""
    yield _asks(asked)
    yield from in_full(asked.arguments)
    if asked.original is not None:
        yield f"  changed by {visible(asked.edited_by or '')}; the model asked for:"
        yield from in_full(asked.original)
    call = f" call {visible(asked.call_id)}," if asked.call_id else ""
    yield (
        f"  run {visible(asked.run_id)},{call}"
        f" digest {visible(asked.digest[:_DIGEST_SHOWN])},"
        f" asked {asked.requested_at:{_TIME}} UTC"
    )
    if asked.words:
        who = "found so far" if asked.kind == "limit" else "the model says"
        yield f"  {who}: {short(asked.words, 300)}"
    yield from _form(asked)
    yield from _terms(asked)
    if asked.unread:
        count = "a message" if asked.unread == 1 else f"{asked.unread} messages"
        yield f"  {count} came since, which the model has not seen (show {visible(asked.run_id)})"


def _form(asked: PendingApproval) -> Iterator[str]:
    """What an answer must be, unless it is any words."""
    if asked.form and asked.form != {"type": "string"}:
        yield f"  the answer has to fit: {visible(json.dumps(asked.form, ensure_ascii=False))}"


def _terms(asked: PendingApproval) -> Iterator[str]:
    demand = asked.demand
    if demand.source:
        yield f"  asked by the policy: {visible(demand.source)}"
    if terms := demand.in_words():
        yield f"  it takes: {visible(terms)}"
    if asked.grants:
        yield f"  so far approved by: {', '.join(map(_name, asked.grants))}"
    if asked.demand.four_eyes and asked.started_by:
        yield f"  started by: {_name(asked.started_by)}"
    if asked.expires_at:
        then = demand.on_expiry
        what = {"deny": "it is denied", "abort": "the run is aborted"}
        words = what[then] if isinstance(then, str) else f"it goes to the role {then.role}"
        over = asked.expires_at <= datetime.now(UTC)
        when = "its time is over since" if over else "until"
        yield f"  {when} {asked.expires_at:{_TIME}} UTC; then {visible(words)}"


def in_full(arguments: Arguments) -> Iterator[str]:
    """The arguments, a line each, every one in full."""
    for name, value in sorted(arguments.items()):
        plain = name.isascii() and name.isidentifier()
        yield f"    {name if plain else value_in_full(name)}: {value_in_full(value)}"


def _asks(asked: PendingApproval) -> str:
    tool, reason = visible(asked.tool), visible(asked.reason or "")
    match asked.kind:
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
        case "question":
            return f"{tool} asks a person:"
        case "limit":
            return f"LIMIT: {reason}. May it go on?"
        case other:
            assert_never(other)


def _verdicts(asked: PendingApproval, settings: Settings) -> Iterator[str]:
    """What a person can say, each as a command line."""
    for verb, line in _lines(asked, settings):
        yield f"  {verb:<7} {line}"


def _lines(asked: PendingApproval, settings: Settings) -> Iterator[tuple[str, str]]:
    which = ("--call", asked.call_id) if asked.call_id else ("--approval", asked.approval_id)
    call = (asked.run_id, *which, "--digest", asked.digest[:_DIGEST_SHOWN])
    match asked.kind:
        case "in_doubt":
            yield "again:", settings.hint("approve", *call, "--retry")
            yield "it did:", f'{settings.hint("answer", *call)} --result "..."'
        case "changed":
            yield "go on:", settings.hint("resume", asked.run_id, "--accept-changes")
        case "tool_call":
            yield "allow:", settings.hint("approve", *call)
        case "question":
            yield "answer:", f'{settings.hint("answer", *call)} --result "..."'
        case "limit":
            yield "go on:", settings.hint("resume", asked.run_id, "--raise", f"{asked.tool}=+N")
        case other:
            assert_never(other)
    verb = {"in_doubt": "forget:", "limit": "stop:"}.get(asked.kind, "refuse:")
    yield verb, f'{settings.hint("deny", *call)} --reason "..."'


def value_in_full(value: object) -> str:
    """An argument in full, as JSON; how long it is, and what in it may deceive, stands behind."""
    text = json.dumps(value, ensure_ascii=False)
    shown = visible(text)
    length = f"  ({len(text)} characters)" if len(shown) > LONG else ""
    return f"{shown}{length}{_warning(text)}"


def _name(name: str) -> str:
    return f"{visible(name)}{_warning(name)}"


def _warning(text: str) -> str:
    found = strange(text)
    return f"  (beware: {found})" if found else ""
