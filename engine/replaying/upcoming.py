"""What a run would do next, from any point of its journal; nothing of it is done."""

from datetime import datetime
from typing import NamedTuple

from engine.core import events as ev
from engine.core.decide import decide
from engine.core.effects import CallModel, Effect, Park, Record
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.core.states import State
from engine.core.workflow import Workflow


class Upcoming(NamedTuple):
    """The next effect outside, what would be recorded before it, and the run as it then is."""

    effect: Effect
    records: tuple[ev.Event, ...]
    run: Run


def upcoming(run: Run, workflow: Workflow, now: datetime) -> Upcoming:
    """What would come next under that workflow, as is decided `now`."""
    records: tuple[ev.Event, ...] = ()
    while isinstance(effect := decide(run, workflow, now), Record):
        for event in effect.events:
            run = evolve(run, ev.Recorded(seq=run.seq + 1, at=now, event=event))
        records = (*records, *effect.events)
    return Upcoming(effect, records, run)


def upcoming_alone(run: Run) -> Upcoming | None:
    """What is known to come next from the run alone; None where that is for its workflow to say."""
    if run.state is not State.DispatchingTools:
        asks = run.state is State.AwaitingModel
        effect = CallModel(run.turns + 1, run.failures + 1) if asks else Park()
        return Upcoming(effect, (), run)
    if any(call.status != "settled" for call in run.calls):
        return None
    settled = ev.ToolsSettled()
    after = evolve(run, ev.Recorded(seq=run.seq + 1, at=run.updated_at, event=settled))
    return Upcoming(CallModel(after.turns + 1, 1), (settled,), after)
