"""What a run would do next, from any point of its journal; nothing of it is done."""

from datetime import datetime
from typing import NamedTuple

from engine.core import events as ev
from engine.core.decide import decide
from engine.core.effects import CallModel, Effect, Park, Recap, Record, SumUp
from engine.core.evolve import evolve
from engine.core.messages import Message
from engine.core.request import recap_request
from engine.core.run import Run
from engine.core.secrecy import Secrecy
from engine.core.sent import context_of
from engine.core.states import State
from engine.core.summing_up import summary_request
from engine.core.workflow import Workflow


class Upcoming(NamedTuple):
    """The next effect outside, what would be recorded before it, and the run as it then is."""

    effect: Effect
    records: tuple[ev.Event, ...]
    run: Run

    @property
    def sent(self) -> tuple[Message, ...]:
        """What the model is sent then; or would be, were it asked for its next message at once."""
        if isinstance(self.effect, SumUp):
            return summary_request(self.run, self.effect).messages
        if isinstance(self.effect, Recap):
            return recap_request(self.run, self.effect).messages
        return context_of(self.run)

    def told(self, secrecy: Secrecy) -> "Foreseen":
        """The same without secrets."""
        sent = self.run.model_copy(update={"messages": self.sent})
        return Foreseen(
            self.effect,
            tuple(map(secrecy.told, self.records)),
            secrecy.told(self.run),
            secrecy.told(sent).messages,
        )


class Foreseen(NamedTuple):
    """What is upcoming as it may be told; `sent` is what the model is sent."""

    effect: Effect
    records: tuple[ev.Event, ...]
    run: Run
    sent: tuple[Message, ...]


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
