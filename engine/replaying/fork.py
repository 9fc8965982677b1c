"""A new run from any point of an old one: its past copied, at most one thing changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from engine.core import events as ev
from engine.core.accept import accept, require_run_id, require_text
from engine.core.approvers import named
from engine.core.canonical import parse_object, require_canonical
from engine.core.commands import Fork, Send
from engine.core.evolve import fold
from engine.core.masking import Mask
from engine.core.messages import Arguments, ToolCall
from engine.core.run import Run
from engine.core.states import State
from engine.errors import BadInputError, CorruptRunError, RefusedError
from engine.journal.lacking import lacking
from engine.journal.walk import Step

_OWN_IDS = ("approval_id", "rule_id")  # the fields whose ids begin with that of the run


def forked(steps: Iterable[Step], wish: Fork, now: datetime) -> tuple[ev.Recorded, ...]:
    """The journal of the new run: the past of the old one up to `wish.at`, and what is changed.

    `steps` are all those of the old run. What is copied keeps its times; what is new is of
    `now`. What people allowed in the old run counts for nothing in the new one, and a call
    that may have happened there is in doubt. Raises BadInputError and RefusedError where
    there is no such fork.
    """
    require_text(wish)
    require_run_id(wish.run_id)
    past = _past(steps, wish.at)
    old = past.run.id
    if wish.run_id == old:
        raise BadInputError(f"the fork of run {old} needs another id than its own")
    changed = _changed(past, wish)
    copied = [_copied(one, old, wish.run_id) for one in changed]
    off = ev.RunForked(
        run_id=old,
        at_seq=wish.at,
        digest=past.digest,
        by=None if wish.by is None else named(wish.by),
    )
    journal = (*copied, _next(copied, off, now))
    if past.is_masked and (calls := lacking(_run_of(journal))):
        journal = (*journal, _next(journal, ev.ArgumentsLost(calls=calls), now))
    if wish.message is not None:
        send = Send(message=wish.message, by=wish.by)
        for event in accept(_run_of(journal), None, send):
            journal = (*journal, _next(journal, event, now))
    return journal


def made_since(journal: Sequence[ev.Recorded], at: int) -> tuple[ev.Recorded, ...]:
    """The first start of each call that a run made after its event `at`: a fork may make it again.

    Those that only read are left out. One that was under way, and would have been rolled
    back had it ended there, is among them where it went on to its end.
    """
    first: dict[str, ev.Recorded] = {}
    under_way: dict[str, ev.Recorded] = {}
    for one in journal:
        event = one.event
        if isinstance(event, ev.ToolStarted) and event.repeats != "read_only":
            if one.seq > at:
                first.setdefault(event.call_id, one)
            elif event.repeats == "transactional":
                under_way[event.call_id] = one
        elif isinstance(event, ev.ToolReturned) and event.call_id in under_way:
            start = under_way.pop(event.call_id)
            if one.seq > at:
                first.setdefault(event.call_id, start)
    return tuple(first.values())


@dataclass(slots=True)
class _Past:
    """What is copied: the events, the run after the newest of them, and its digest (hex)."""

    run: Run
    digest: str = ""
    is_masked: bool = False
    events: list[ev.Recorded] = field(default_factory=list)


def _past(steps: Iterable[Step], at: int) -> _Past:
    past: _Past | None = None
    newest = 0
    for step in steps:
        if isinstance(step.recorded.event, ev.DataErased):
            raise RefusedError(
                f"what was said in run {step.run.id} was erased, as was asked for; "
                "it cannot be forked: start another"
            )
        newest = step.entry.seq
        if newest <= at:
            past = past or _Past(step.run)
            past.run, past.digest = step.run, step.entry.digest.hex()
            past.is_masked |= bool(step.entry.cover)
            past.events.append(step.recorded)
    if past is None or at > newest:
        raise BadInputError(f"there is no event {at} to fork at; the run has 1 to {newest}")
    if past.run.state is State.Aborted:
        raise RefusedError(
            f"run {past.run.id} was aborted by seq {at}, and there is no way on from there; "
            "choose an earlier seq"
        )
    return past


def _changed(past: _Past, wish: Fork) -> list[ev.Recorded]:
    """The past with what is changed of it; BadInputError where more than one thing is."""
    said = (wish.message, wish.instructions, wish.arguments)
    several = sum(one is not None for one in said) > 1
    if several or (wish.arguments is not None and len(wish.arguments) != 1):
        raise BadInputError(
            "a fork changes one thing: a message, the instructions, or the arguments of one call"
        )
    changed = [*past.events]
    if wish.instructions is not None:
        changed[0] = _instructed(changed[0], wish.instructions)
    for call_id, arguments in (wish.arguments or {}).items():
        place = _place_of(past, call_id)
        _require_no_secret(past.run, call_id, arguments)
        changed[place] = _rewritten(changed[place], call_id, arguments)
    return changed


def _instructed(born: ev.Recorded, instructions: str) -> ev.Recorded:
    if not instructions.strip():
        raise BadInputError("the instructions are empty")
    return _with(born, instructions=instructions)


def _place_of(past: _Past, call_id: str) -> int:
    """Where in the past the call was asked for; it has not been started since, nor settled."""
    calls = {call.id: call for call in past.run.calls}
    if call_id not in calls:
        known = ", ".join(calls) or "none"
        raise BadInputError(
            f"run {past.run.id} has no open call {call_id!r} at seq {past.run.seq}; it has: {known}"
        )
    asked = max(
        place for place, one in enumerate(past.events) if isinstance(one.event, ev.ToolsRequested)
    )
    call = calls[call_id]
    if call.attempt or call.status in ("started", "interrupted", "settled"):
        earlier = _untouched_until(past.events[asked + 1 :], call_id)
        raise RefusedError(
            f"{call.tool} ({call_id}) was started or settled by seq {past.run.seq}; "
            f"fork earlier, at seq {earlier or asked + 1}"
        )
    return asked


def _require_no_secret(run: Run, call_id: str, arguments: Arguments) -> None:
    """Nothing; RefusedError where what is replaced is a secret.

    The fork would not know it for one any more, and tell what repeats it in the copied past.
    """
    call = run.tool_call(call_id).function
    try:
        old = parse_object(call.arguments or "{}")
    except ValueError:
        return
    mask, paths = Mask(keys=run.redact), tuple(run.secrets.get(call.name, ()))
    for name, value in old.items():
        found: set[str] = set()
        mask.value({name: value}, paths, found)
        if found and arguments.get(name) != value:
            raise RefusedError(
                f"{name} of {call.name} ({call_id}) is secret, and stays as it is in a fork: "
                "fork without changing it, and let a person edit it when it is approved"
            )


def _untouched_until(since: Sequence[ev.Recorded], call_id: str) -> int:
    """The seq before the first event that started or settled the call; 0 for none."""
    touching = ev.CallEvent | ev.ApprovalDenied | ev.ApprovalAnswered | ev.ApprovalExpired
    touched = (
        one.seq for one in since if isinstance(one.event, touching) and one.event.call_id == call_id
    )
    return next(touched, 1) - 1


def _rewritten(asked: ev.Recorded, call_id: str, arguments: Arguments) -> ev.Recorded:
    """The model's request with other arguments for one call."""
    try:
        require_canonical(dict(arguments))
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"the arguments for {call_id}: {error}") from error
    event = asked.event
    if not isinstance(event, ev.ToolsRequested):
        raise CorruptRunError(f"seq {asked.seq} is {event.kind}, and asks for no calls")
    text = orjson.dumps(arguments).decode()
    calls = tuple(
        _asking(call, text) if call.id == call_id else call for call in event.message.tool_calls
    )
    return _with(asked, message=event.message.model_copy(update={"tool_calls": calls}))


def _asking(call: ToolCall, text: str) -> ToolCall:
    function = call.function.model_copy(update={"arguments": text})
    return call.model_copy(update={"function": function})


def _copied(one: ev.Recorded, old: str, new: str) -> ev.Recorded:
    """The event as it stands in the new run, under whose id its approvals and rules are."""
    if isinstance(one.event, ev.RunStarted):
        return _with(one, run_id=new)
    named_so = {name: getattr(one.event, name, None) for name in _OWN_IDS}
    renamed = {
        name: new + value.removeprefix(old)
        for name, value in named_so.items()
        if value is not None and value.startswith(f"{old}.")
    }
    return _with(one, **renamed) if renamed else one


def _with(one: ev.Recorded, **changes: object) -> ev.Recorded:
    return one.model_copy(update={"event": one.event.model_copy(update=changes)})


def _next(journal: Sequence[ev.Recorded], event: ev.Event, now: datetime) -> ev.Recorded:
    return ev.Recorded(seq=journal[-1].seq + 1, at=now, event=event)


def _run_of(journal: Iterable[ev.Recorded]) -> Run:
    run = fold(journal)
    if run is None:
        raise CorruptRunError("a journal without an event is no run")
    return run
