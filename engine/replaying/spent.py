"""What a run asked of models, counted event by event."""

from dataclasses import dataclass, field
from decimal import Decimal

from engine.core import events as ev
from engine.core.run import Run
from engine.core.spent import Spent
from engine.prices import LISTED
from engine.replaying.figures import ModelUse


@dataclass(slots=True)
class Models:
    """Tries at models: failures, retries, and what each model's replies took.

    Summaries, and replies that came to nothing, count with what they took, but as no replies.
    """

    failures: int = 0
    retries: int = 0
    _used: dict[str | None, ModelUse] = field(default_factory=dict)

    def take(self, before: Run, event: ev.Event) -> None:
        """Count the event, if it is of a model."""
        match event:
            case ev.ModelFailed():
                self.failures += 1
                if event.model or event.usage.total_tokens:  # it has replied
                    self._reply(event, replies=0)
            case ev.ContextCompacted():
                if event.summary is not None:
                    self._reply(event, replies=0)
                return
            case ev.ToolsRequested() | ev.ModelAnswered() | ev.AnswerSuperseded():
                self._reply(event)
            case ev.RunSummarised() | ev.RunAborted():
                if event.model or event.usage.total_tokens:
                    self._reply(event, replies=0)
                return
            case _:
                return
        self.retries += before.failures > 0

    def used(self) -> tuple[ModelUse, ...]:
        """Each model, in the order of their first replies."""
        return tuple(self._used.values())

    def cost(self) -> Decimal | None:
        """What the replies cost, in USD; None where that of any of them is unknown."""
        total = Decimal()
        for one in self._used.values():
            if one.cost is None:
                return None
            total += one.cost
        return total

    def _reply(self, took: Spent, replies: int = 1) -> None:
        model, usage, said = took.model, took.usage, took.cost
        so_far = self._used.get(model)
        # Reply by reply: a long prompt may have another price. Older journals do not say it.
        cost = LISTED.cost(model, usage) if said is None else said
        if so_far is None:
            self._used[model] = ModelUse(model=model, replies=replies, usage=usage, cost=cost)
            return
        known = None if cost is None or so_far.cost is None else so_far.cost + cost
        self._used[model] = ModelUse(
            model=model, replies=so_far.replies + replies, usage=so_far.usage + usage, cost=known
        )
