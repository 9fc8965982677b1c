"""One step of a recorded run, as people read it, and as machines do."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from engine.api.wiring import keys_of
from engine.cli.asks import in_full
from engine.cli.figures import money, span
from engine.cli.live import describe
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.text import strange, visible
from engine.core import events as ev
from engine.core.conditions import in_words
from engine.journal.lines import fields_of

if TYPE_CHECKING:
    from engine.replaying.told import Told

_TIME = "%Y-%m-%d %H:%M:%S"


class Printer:
    """Prints steps."""

    def __init__(self, settings: Settings) -> None:
        """Take how it is to be printed, and the keys by which masked lines are covered."""
        self._json, self._keys = settings.json, keys_of(settings.audit_key)

    def show(self, one: "Told") -> None:
        """Print a step: one line, and below it what was asked of people and what they said."""
        fields = fields_of(one.line, self._keys)
        if self._json:
            cost = None if one.cost is None else f"{one.cost:f}"
            print_json({**fields, "elapsed": one.elapsed.total_seconds(), "cost": cost})
            return
        at = one.step.recorded.at
        click.echo(
            f"{at:{_TIME}}  {_since(one.elapsed):>10}  {money(one.cost):>12}  {describe(fields)}"
        )
        for line in _about_approvals(one.step.recorded.event, fields["data"]):
            click.echo(f"    {line}")


def _since(elapsed: timedelta) -> str:
    seconds = elapsed.total_seconds()
    return f"{'-' if seconds < 0 else '+'}{span(abs(seconds))}"


def _about_approvals(event: ev.Event, told: Any) -> Iterator[str]:  # noqa: ANN401 # JSON
    """What there is to say of an approval; people's words and values are those in `told`."""
    match event:
        case ev.ApprovalRequested():
            yield from _asked(event, told)
        case ev.ApprovalGranted() | ev.ApprovalDenied() | ev.ApprovalAnswered():
            verdict = event.kind.removeprefix("approval_")
            beware = f" (beware: {found})" if (found := strange(event.by)) else ""
            yield f"{verdict} by {visible(event.by)}{beware}, digest {visible(event.digest)}"
            yield from _said(told)
        case ev.ApprovalExpired(outcome=outcome, role=role):
            further = f"; it goes to the role {visible(role)}" if role else ""
            yield f"nobody decided in time: {outcome}{further}"
        case ev.StickyRuleAdded(tool=tool):
            yield f"{visible(tool)} is allowed beforehand while {visible(in_words(told['when']))}"
        case _:
            return


def _asked(event: ev.ApprovalRequested, told: Any) -> Iterator[str]:  # noqa: ANN401 # JSON
    kind = event.approval_kind.replace("_", " ")
    if event.call_id:
        yield f"{kind}: {visible(event.tool)} ({visible(event.call_id)}), with exactly:"
        yield from in_full(told["arguments"])
    else:
        yield f"{kind}: {visible(event.tool)}"
    yield f"digest {visible(event.digest)}"
    if event.reason:
        yield f"because {visible(told['reason'])}"
    if event.demand.source:
        yield f"asked by the policy: {visible(event.demand.source)}"
    if terms := event.demand.in_words():
        yield f"it takes: {visible(terms)}"
    if event.expires_at:
        yield f"until {event.expires_at:{_TIME}} UTC"


def _said(told: Any) -> Iterator[str]:  # noqa: ANN401 # JSON
    """What the person said besides yes or no."""
    for name in ("reason", "content", "note"):
        if told.get(name):
            yield f"{name}: {visible(told[name])}"
    if told.get("arguments") is not None:
        yield "with other arguments:"
        yield from in_full(told["arguments"])
