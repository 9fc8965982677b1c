"""Today's code against recorded reality: the first thing that it would do otherwise.

The recorded journal is walked with the one fold. What the engine decided is decided again,
and what people said is accepted again. What models, tools and notifiers said is taken from
the record, where today's code could have brought it about.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.decide import decide
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
from engine.core.evolve import evolve, fold
from engine.core.judge import judge
from engine.core.ready import is_open
from engine.core.run import Run
from engine.core.workflow import Workflow
from engine.errors import BadInputError, EngineError, RefusedError
from engine.replaying.declared import declared_otherwise
from engine.replaying.divergence import Divergence, diff_of, differs_at, is_same, lasting
from engine.replaying.moments import when_begun, when_decided
from engine.replaying.said import PERMISSIVE, command_of
from engine.replaying.sorts import sort_of
from engine.replaying.words import apart_words, effect_words, words_of

_Events = tuple[ev.Event, ...]
_Begun = tuple[str | int, ...]


def rerun(journal: Iterable[ev.Recorded], workflow: Workflow) -> Divergence | None:
    """Where today's `workflow` first differs from a run's recorded journal; None where nowhere.

    Of a fork what came since is compared; its past is the other run's. No tool, model,
    notifier or clock is touched. Raises BadInputError for an empty journal or
    one of another workflow, RefusedError where what people and models wrote was erased,
    CorruptRunError and IllegalTransitionError as the fold does.
    """
    events = tuple(journal)
    if not events:
        raise BadInputError("the journal is empty")
    run = evolve(None, events[0])
    if any(isinstance(one.event, ev.DataErased) for one in events):
        raise RefusedError(f"run {run.id} cannot be rerun: what was written in it was erased")
    if otherwise := declared_otherwise(events, workflow):
        return otherwise
    own = 1 + max((place for place, one in enumerate(events) if _is_fork(one)), default=0)
    run = fold(events[1:own], run) or run  # what a fork has copied is compared where it was made
    walk = _Walk(events, workflow, run)
    found = next(filter(None, map(walk.take, range(own, len(events)))), None)
    return found or walk.left_over()


def _is_fork(one: ev.Recorded) -> bool:
    return isinstance(one.event, ev.RunForked)


class _Walk:
    """The recorded run so far, and what follows from it by today's code."""

    def __init__(self, events: Sequence[ev.Recorded], workflow: Workflow, run: Run) -> None:
        self._events, self._workflow, self._run = events, workflow, run
        self._of_old = not run.definition  # the first engines said less
        # That of the action as the record has it: another one, where the record is masked.
        self._digest: str | None = None
        self._due: deque[ev.Event] = deque()  # what one effect, or one command, brings next
        self._begun: set[_Begun] = set()  # what was begun outside, and is not over

    def take(self, place: int) -> Divergence | None:
        """How today's code differs at the event in that place; None where it does not."""
        run, one = self._run, self._events[place]
        after = evolve(run, one)
        self._digest = None
        differs = self._differs(run, place)
        if self._digest not in (None, getattr(one.event, "digest", None)):
            adopted = one.event.model_copy(update={"digest": self._digest})
            after = evolve(run, one.model_copy(update={"event": adopted}))
        self._run = after
        return differs

    def left_over(self) -> Divergence | None:
        """What today's code would record with the last event; one commit keeps all or none."""
        if not self._due:
            return None
        would = words_of(self._run, self._due[0]).would
        end = "the record ends with that"
        return differs_at(self._run, self._events[-1], end, f"today's code would {would} with it")

    def _differs(self, run: Run, place: int) -> Divergence | None:
        one = self._events[place]
        sort = sort_of(run, one.event)
        if sort == "given":  # a rebuilt run's lost arguments may cut in anywhere
            self._due.clear()
            return None
        if self._due:
            return self._against(run, one, self._due.popleft())
        self._note_begun(run, one.at)
        match sort:
            case "decided":
                return self._decided(run, place)
            case "person":
                return self._said(run, place)
            case "model" | "tool" | "notifier":
                return self._happened(run, one)
            case other:
                assert_never(other)

    def _decided(self, run: Run, place: int) -> Divergence | None:
        """Today's effect must bring this event, and then those that come with it."""
        one = self._events[place]
        best: _Events = ()
        for now in when_decided(run, self._workflow, one.at):
            events = _events_of(self._decide(run, now))
            best = max(best, events, key=lambda wanted: self._in_common(place, wanted))
        if not best or not self._is_same(one.event, best[0]):
            return self._otherwise(run, one)
        self._due.extend(best[1:])
        return self._against(run, one, best[0])

    def _said(self, run: Run, place: int) -> Divergence | None:
        """What a person said, said again to today's code, must bring the same events."""
        one, *then = self._events[place : place + 2]
        command = command_of(run, one.event, then[0].event if then else None)
        if command is None:
            return None
        said = words_of(run, one.event).done
        try:
            events = accept(run, self._workflow, command, PERMISSIVE)
        except EngineError as error:
            return differs_at(run, one, said, f"today's code would refuse that: {error}")
        if not events:
            return differs_at(run, one, said, "today's code would find it said already")
        self._due.extend(events[1:])
        return self._against(run, one, events[0])

    def _happened(self, run: Run, one: ev.Recorded) -> Divergence | None:
        """What came from outside is taken as it came, where today's code had begun it."""
        began = _beginning_of(run, one.event)
        if began is None:
            return None
        if began not in self._begun:
            return self._otherwise(run, one)
        self._begun.discard(began)
        return None

    def _against(self, run: Run, one: ev.Recorded, today: ev.Event) -> Divergence | None:
        """How what is due differs from what was recorded."""
        if self._is_same(one.event, today):
            self._digest = getattr(today, "digest", None)
            return None
        expected = words_of(run, one.event).done
        if one.event.kind != today.kind:
            would = words_of(run, today).would
            return differs_at(run, one, expected, f"today's code would {would}")
        would = apart_words(run, one.event, today)
        diff = diff_of(lasting(one.event), lasting(today))
        return differs_at(run, one, expected, f"today's code would {would}", diff)

    def _otherwise(self, run: Run, one: ev.Recorded) -> Divergence | None:
        """What today's code does with the same call, or else next."""
        effect = self._decide(run, one.at)
        if judged := self._of_its_call(run, one):
            return self._against(run, one, judged)
        if isinstance(effect, Record | CallTools):
            return self._against(run, one, _events_of(effect)[0])
        would = effect_words(run, effect)
        return differs_at(run, one, words_of(run, one.event).done, f"today's code would {would}")

    def _of_its_call(self, run: Run, one: ev.Recorded) -> ev.Event | None:
        """What becomes today of the call that was decided on; None where it is looked up or waits.

        Engines before this one took the calls of a turn in another order.
        """
        call_id = getattr(one.event, "call_id", None)
        for call in run.calls:
            if call.id == call_id and is_open(run, call):
                match judge(self._as_today(run), self._workflow, call, one.at):
                    case Reconcile() | Park():
                        return None
                    case judged:
                        return judged
        return None

    def _note_begun(self, run: Run, at: datetime) -> None:
        """What today's code may have begun outside, whoever comes between."""
        for now in when_begun(run, self._workflow, at):
            self._begun.update(_beginnings(self._decide(run, now)))

    def _in_common(self, place: int, wanted: _Events) -> int:
        """How many of the events, from the first on, are those recorded from that place on."""
        recorded = self._events[place : place + len(wanted)]
        for common, (then, today) in enumerate(zip(recorded, wanted, strict=False)):
            if not self._is_same(then.event, today):
                return common
        return len(wanted)

    def _is_same(self, recorded: ev.Event, today: ev.Event) -> bool:
        return is_same(recorded, today, of_old=self._of_old)

    def _decide(self, run: Run, now: datetime) -> Effect:
        return decide(self._as_today(run), self._workflow, now)

    def _as_today(self, run: Run) -> Run:
        """The run under today's definition: its schemas were compared by themselves."""
        today = {"definition": self._workflow.definition, "tools": self._workflow.schemas}
        return run.model_copy(update=today)


def _events_of(effect: Effect) -> _Events:
    """The events that an effect begins with."""
    match effect:
        case Record(events) | CallTools(events):
            return events
        case _:
            return ()


def _beginnings(effect: Effect) -> set[_Begun]:
    match effect:
        case CallModel(turn, attempt):
            return {("model", turn, attempt), ("try", turn, attempt)}
        case SumUp(turn=turn, attempt=attempt):
            return {("summary", effect.start, effect.noted), ("try", turn, attempt)}
        case Recap():
            return {("recap",)}
        case Reconcile(starts):
            return {("look-up", start.call_id) for start in starts}
        case Notify(untold):
            return {("telling", *one) for one in untold}
        case _:
            return set()


def _beginning_of(  # noqa: PLR0911 # a case an event
    run: Run, event: ev.Event
) -> _Begun | None:
    """What must have been begun for it to come; None where its own start is recorded."""
    match event:
        case ev.ApprovalNotified() | ev.NotificationFailed():
            return ("telling", event.approval_id, event.notifier)
        case ev.ReconcileFailed():
            return ("look-up", event.call_id)
        case ev.ModelFailed():
            return ("try", run.turns + 1, event.attempt)
        case ev.RunSummarised():
            return ("recap",)
        case ev.ContextCompacted():
            return ("summary", event.start, event.noted)
        case ev.ToolReturned() | ev.ToolNotExecuted() | ev.ToolFailed() | ev.ToolInterrupted():
            looked_up = getattr(event, "reconciled", False)
            lost = run.call(event.call_id).status != "started"
            return ("look-up", event.call_id) if looked_up or lost else None
        case _:
            return ("model", run.turns + 1, run.failures + 1)
