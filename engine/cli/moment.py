"""How a run stood after one of its events, and what the model would be sent next."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

import click
import orjson

from engine.cli.asks import described, in_full
from engine.cli.figures import money
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.text import block, counted, visible
from engine.core.conditions import in_words
from engine.core.effects import (
    CallModel,
    CallTools,
    Effect,
    Notify,
    Park,
    Recap,
    Reconcile,
    Record,
    SumUp,
)
from engine.core.messages import Message
from engine.core.run import Run, pending_of
from engine.core.states import State
from engine.replaying.upcoming import Foreseen, upcoming, upcoming_alone

if TYPE_CHECKING:
    from engine.core.workflow import Workflow
    from engine.replaying.told import Told

_TIME = "%Y-%m-%d %H:%M:%S"


def print_moment(one: "Told", workflow: "Workflow | None", settings: Settings) -> None:
    """Print the run as it was then, and what would come next, as was decided then."""
    run, at = one.step.run, one.step.recorded.at
    following = upcoming(run, workflow, at) if workflow else upcoming_alone(run)
    foreseen = following and following.told(one.secrecy)
    if settings.json:
        cost = None if one.cost is None else f"{one.cost:f}"
        print_json(
            {
                "run": _told(run, one).model_dump(mode="json"),
                "cost": cost,
                "next": foreseen and as_json(foreseen, workflow),
            }
        )
        return
    for line in (*_state(_told(run, one)), f"  cost: {money(one.cost)}"):
        click.echo(line)
    for line in (*_calls(_told(run, one)), *_waiting(_told(run, one))):
        click.echo(line)
    for line in _next(_told(run, one), foreseen, workflow):
        click.echo(line)


def _told(run: Run, one: "Told") -> Run:
    """The run without what must not be told."""
    return one.secrecy.told(run)


def _state(run: Run) -> Iterator[str]:
    yield (
        f"Run {visible(run.id)} ({visible(run.workflow)}) after seq {run.seq},"
        f" at {run.updated_at:{_TIME}} UTC: {run.state}"
    )
    if run.origin:
        yield f"  forked off run {visible(run.origin.run_id)} at seq {run.origin.seq}"
    for name in ("by", "customer", "answer", "reason", "limit", "found", "failure"):
        if said := getattr(run, name):
            yield f"  {name}: {block(str(said))}"
    if run.retry_at:
        yield f"  the next try may begin at {run.retry_at:{_TIME}} UTC"
    counters = ("turns", "failures", "asked", "ruled", "unread")
    yield f"  {', '.join(f'{name}: {getattr(run, name)}' for name in counters)}"
    yield f"  tokens: {', '.join(f'{name} {count}' for name, count in run.usage)}"


def _calls(run: Run) -> Iterator[str]:
    for call in run.calls:
        doubt = ", in doubt" if call.in_doubt or call.doubtful else ""
        yield f"\nCall {visible(call.id)} ({visible(call.tool)}): {call.status}{doubt}"
        yield f"    asked for with: {visible(run.tool_call(call.id).function.arguments)}"
        if call.edited is not None:
            yield "    changed by a person to:"
            yield from (f"  {line}" for line in in_full(call.edited))
        if call.arguments is not None:
            yield f"    started {counted(call.attempt, 'time')}, at last with:"
            yield from (f"  {line}" for line in in_full(call.arguments))
        if call.error:
            yield f"    {visible(call.error)}"
        if call.retry_at:
            yield f"    the next attempt may begin at {call.retry_at:{_TIME}} UTC"
    for result in run.results:
        kind = "error" if result.is_error else "result"
        yield f"    {kind} of {visible(result.call_id)}: {block(result.content)}"


def _waiting(run: Run) -> Iterator[str]:
    for approval in run.approvals:
        yield ""
        yield from described(pending_of(run, approval))
    for rule in run.rules:
        when = visible(in_words(rule.when))
        yield f"\nAllowed beforehand by {visible(rule.by)}: {visible(rule.tool)} while {when}"
    for message in run.inbox:
        yield f"\nThe customer wrote meanwhile: {block(message.content or '')}"


def _next(run: Run, following: Foreseen | None, workflow: "Workflow | None") -> Iterator[str]:
    yield ""
    if workflow is None:
        yield "Next, as far as the run alone tells (its workflow is not in this app, see --app):"
    else:
        yield "Next, under the workflow as it is today:"
    if following is None:
        yield "  The model is not asked: the workflow would judge the open calls."
        return
    for event in following.records:
        about = [getattr(event, name, None) for name in ("tool", "call_id", "reason", "error")]
        words = " ".join(visible(str(one)) for one in about if one)
        yield f"  {event.kind} would be recorded{f': {words}' if words else ''}"
    yield from _would(following.effect, following.run)
    if isinstance(following.effect, CallModel | SumUp | Recap):
        yield from sent_lines(following, workflow)
    elif run.state is State.Done and isinstance(following.effect, Park):
        yield "  A message would wake the run; the model would then be sent it, too."


def sent_lines(following: Foreseen, workflow: "Workflow | None") -> Iterator[str]:
    """The messages that the model is sent, and the tools that it is told of."""
    for message in following.sent:
        yield from _message(message)
    if workflow is not None:
        yield f"  tools: {', '.join(_tools(following, workflow)) or 'none'}"


def _tools(following: Foreseen, workflow: "Workflow") -> list[str]:
    none = following.run.last_words or isinstance(following.effect, SumUp | Recap)
    return [] if none else [one.name for one in workflow.tools]


def _would(effect: Effect, run: Run) -> Iterator[str]:
    match effect:
        case SumUp():
            yield "  The model is asked to sum up what it is not sent any more:"
        case CallModel(turn, attempt):
            yield f"  The model is asked for turn {turn}, attempt {attempt}, with these messages:"
        case CallTools(intents):
            names = ", ".join(f"{visible(one.tool)} ({visible(one.call_id)})" for one in intents)
            yield f"  The model is not asked: tools start: {names}"
        case Reconcile(starts):
            names = ", ".join(f"{visible(one.tool)} ({visible(one.call_id)})" for one in starts)
            yield f"  The model is not asked: it is looked up what came of {names}"
        case Recap():
            yield "  The model is asked to sum the run up for later ones:"
        case Notify(untold):
            names = ", ".join(f"{visible(name)} of {visible(of)}" for of, name in untold)
            yield f"  The model is not asked: people are told: {names}"
        case Park(until):
            yield f"  The model is not asked: {_waits(run)}{_until(until)}"
        case Record():
            return
        case other:
            assert_never(other)


def _waits(run: Run) -> str:
    if run.state in (State.Done, State.Aborted):
        return f"the run is {run.state}"
    return "the run waits for people" if run.approvals else "the run waits"


def _until(until: object) -> str:
    return f", until {until:{_TIME}} UTC" if until else ""


def _message(message: Message) -> Iterator[str]:
    of = f" {visible(message.tool_call_id)}" if message.tool_call_id else ""
    if message.content or not message.tool_calls:
        yield f"    {message.role}{of}: {block(message.content or '')}".rstrip()
    for call in message.tool_calls:
        name = f"{visible(call.function.name)} ({visible(call.id)})"
        yield f"    {message.role} asks for {name}: {visible(call.function.arguments)}"


def sent_as_json(following: Foreseen, workflow: "Workflow | None") -> dict[str, object]:
    """The messages that the model is sent, and the names of the tools that it is told of."""
    messages = [one.model_dump(mode="json", exclude_defaults=True) for one in following.sent]
    return {"messages": messages, "tools": _tools(following, workflow) if workflow else None}


def as_json(following: Foreseen, workflow: "Workflow | None") -> dict[str, object]:
    """The effect by its name, and the model's messages where it is asked."""
    effect = following.effect
    plain: dict[str, object] = {
        "effect": type(effect).__name__,
        "records": [one.kind for one in following.records],
        "state": following.run.state,
    }
    match effect:
        case CallModel() | SumUp() | Recap():
            plain |= {"turn": effect.turn, "attempt": effect.attempt}
            plain |= sent_as_json(following, workflow)
        case CallTools(starts) | Reconcile(starts):
            plain["calls"] = [one.call_id for one in starts]
        case Park(until):
            plain["until"] = until and json.loads(orjson.dumps(until))
        case Notify() | Record():
            pass
        case other:
            assert_never(other)
    return plain
