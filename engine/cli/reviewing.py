"""The subcommand that walks through what waits, one approval after the other."""

import json
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from engine.cli.asks import LONG, described
from engine.cli.driving import drive
from engine.cli.filters import filters
from engine.cli.options import Settings
from engine.cli.reading import unmasked
from engine.cli.root import ask, by_option, command, model_option
from engine.cli.text import visible
from engine.core.canonical import parse_object
from engine.core.tokens import MASK
from engine.errors import BadInputError, EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from engine.api import Engine
    from engine.core.messages import Arguments
    from engine.core.run import PendingApproval, Run

    Act = Callable[[Engine], Awaitable[Run]]
    Go = Callable[[Act, str], None]

_PAGE = 100
_KEYS = {
    "tool_call": "[a]pprove  [e]dit  [d]eny  [w]rite the result  [s]kip  [q]uit",
    "question": "[w]rite the answer  [d]eny  [s]kip  [q]uit",
    "in_doubt": "[r]un again  [w]rite the result  [d]eny  [s]kip  [q]uit",
    "changed": "[w]rite the result  [d]eny  [s]kip  [q]uit",
    "limit": "[r]aise it  [d]eny, which stops the run  [s]kip  [q]uit",
}


@command("review")
@filters
@by_option
@model_option
def review(settings: Settings, by: str, model: str | None, **wanted: Any) -> int:  # noqa: ANN401 # as Engine.pending has them
    """Walk through what waits for a person, the oldest run first, a key each."""
    settings.note_missing()
    failed = False

    def go(act: "Act", run_id: str) -> None:
        drive(settings, settings.changing, model, act, run_id)

    for asked in _waiting(settings, wanted):
        for line in described(asked):
            click.echo(line)
        try:
            if not decided(settings, asked, by, go):
                break
        except EngineError as error:
            failed = True
            click.echo(f"waystation: {visible(str(error))}", err=True)
    return int(failed)


def _waiting(settings: Settings, wanted: dict[str, Any]) -> "Iterator[PendingApproval]":
    """What waits, a page at a time, each announced with its place."""
    after: str | None = None
    while True:
        page = ask(settings, partial(_page, wanted, after))
        if not page and after is None:
            click.echo("Nothing waits for approval.")
        more = " and more" if len(page) >= _PAGE else ""
        for place, asked in enumerate(page, 1):
            click.echo(f"\n{place} of {len(page)}{more}")
            yield asked
        if not more:
            return
        after = page[-1].run_id


async def _page(
    wanted: dict[str, Any], after: str | None, engine: "Engine"
) -> "list[PendingApproval]":
    return await engine.masked.pending(**wanted, limit=_PAGE, after=after)


def decided(settings: Settings, asked: "PendingApproval", by: str, go: "Go") -> bool:
    """Whether to go on to the next one, after a key was pressed for this one.

    `go` does with the run what was decided. Raises as that does; what does not fit is asked again.
    """
    said = None
    while said is None:
        key = _key(_KEYS[asked.kind])
        if key in {"s", "q"}:
            return key == "s"
        said = _verdict(key, asked, settings)
    try:
        go(_act(asked, by, *said), asked.run_id)
    except BadInputError as error:
        click.echo(f"waystation: {visible(str(error))}", err=True)
        return decided(settings, asked, by, go)
    return True


def _act(asked: "PendingApproval", by: str, verb: str, more: dict[str, Any]) -> "Act":
    about = {"approval_id": asked.approval_id, "digest": asked.digest}
    told = {"by": by, **more} if verb == "raise_limits" else {**about, "by": by, **more}

    def act(engine: "Engine") -> "Awaitable[Run]":
        verdict: Callable[..., Awaitable[Run]] = getattr(engine, verb)
        return verdict(asked.run_id, **told)

    return act


def _key(choices: str) -> str:
    allowed = {part[0] for part in choices.split("[")[1:]}
    while True:
        click.echo(f"  {choices}: ", nl=False)
        try:
            key = (click.getchar() or "").lower()  # nothing: the terminal is gone
        except OSError:
            raise click.UsageError(
                "keys are read from a terminal; elsewhere: approvals, approve, deny, answer"
            ) from None
        except EOFError:
            raise click.Abort from None
        click.echo(visible(key))
        if not key:
            raise click.Abort
        if key in allowed:
            return key


def _verdict(
    key: str, asked: "PendingApproval", settings: Settings
) -> tuple[str, dict[str, Any]] | None:
    """The method of the engine and what it is told; None where the person thought better of it."""
    match key:
        case "r" if asked.kind == "limit":
            more = click.prompt(f"  by how much is {asked.tool} raised", value_proc=_amount)
            return "raise_limits", {"raises": {asked.tool: more}}
        case "a":
            return ("approve", {}) if _has_read(asked) else None
        case "r":
            return ("approve", {"retry": True}) if _has_read(asked) else None
        case "e":
            arguments = _edited(asked, settings)
            return None if arguments is None else ("approve", {"arguments": arguments})
        case "d":
            reads = "" if asked.kind == "limit" else " (the model reads it)"
            reason = click.prompt(f"  why{reads}", default="", show_default=False)
            return "deny", {"reason": reason or None}
        case _:
            asks = asked.kind == "question"
            what = "the answer" if asks else "the result, as the model reads it"
            return "answer", {"result": click.prompt(f"  {what}")}


def _amount(said: str) -> Decimal:
    """The number that a person wrote; asked for again where it is none."""
    try:
        return Decimal(said)
    except InvalidOperation:
        raise click.BadParameter(f"{said!r} is no number") from None


def _has_read(asked: "PendingApproval") -> bool:
    """Whether one key is enough; what is too long to take in at a glance asks for the digest."""
    if len(json.dumps(asked.arguments)) <= LONG:
        return True
    seen = click.prompt("  this is long; to allow it, type the first 8 characters of its digest")
    return bool(seen == asked.digest[:8])


def _edited(asked: "PendingApproval", settings: Settings) -> "Arguments | None":
    """The arguments as the person wrote them in an editor; None where nothing was changed.

    What they are not shown stays as it is, unless they write something else.
    """
    before = text = json.dumps(asked.arguments, indent=2, ensure_ascii=True, sort_keys=True)
    while True:
        text = _in_editor(text)
        if text.strip() in ("", before):
            click.echo("  nothing was changed")
            return None
        try:
            arguments = parse_object(text)
        except ValueError as error:
            click.echo(f"  that cannot be read: {visible(str(error))}")
            if not click.confirm("  edit it again", default=True):
                return None
            continue
        click.echo(f"  with: {visible(json.dumps(arguments, ensure_ascii=False))}")
        if not click.confirm("  run it with these"):
            return None
        return _unmasked(arguments, asked, settings)


def _unmasked(
    arguments: "Arguments", asked: "PendingApproval", settings: Settings
) -> "Arguments | None":
    """The arguments, with what was not shown; None where it cannot be told what that is."""
    run = ask(settings, lambda engine: engine.run(asked.run_id))
    truths = [one.arguments for one in run.approvals if one.digest == asked.digest]
    whole = unmasked(arguments, asked.arguments, truths[0]) if truths else arguments
    if MASK in json.dumps(whole) and not (truths and MASK in json.dumps(truths[0])):
        click.echo(f"  {MASK} stands for what is not shown; leave all of that value, or write it")
        return None
    return whole if isinstance(whole, dict) else None


def _in_editor(text: str) -> str:
    """The text after it was edited; empty where the editor failed, or nothing was saved."""
    try:
        return click.edit(text, extension=".json") or ""
    except click.ClickException as error:
        click.echo(f"  {visible(error.format_message())}")
        return ""
