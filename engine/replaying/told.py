"""A journal gone through once more, step by step, with what is counted on the way."""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from engine.core.secrecy import Secrecy
from engine.errors import BadInputError
from engine.journal.lines import Line
from engine.journal.walk import Step
from engine.ports import Clock
from engine.replaying.spent import Models

LONGEST_WAIT = 5.0  # seconds, at whatever pace


class Told(NamedTuple):
    """One step: its line as the log tells it, the time since the run began, the cost so far.

    `secrecy` knows what of the run after it must not be told. `cost` is in USD, None where
    that of some reply is unknown.
    """

    step: Step
    line: Line
    secrecy: Secrecy
    elapsed: timedelta
    cost: Decimal | None


def told(steps: Iterable[Step]) -> Iterator[Told]:
    """The steps, each with what there is to tell of it."""
    models, secrecy = Models(), Secrecy()
    began: datetime | None = None
    for step in steps:
        run, event = step.run, step.recorded.event
        began = began or step.recorded.at
        secrecy = secrecy.after(event, step.entry.data)
        if step.before is not None:
            models.take(step.before, event)
        source = None if step.before is None else step.before.state
        told = (run.id, run.workflow, source, run.state, step.entry)
        line = Line(*told, secrecy, step.previous)
        yield Told(step, line, secrecy, step.recorded.at - began, models.cost())


async def paced(steps: Iterable[Told], factor: float, clock: Clock) -> AsyncIterator[Told]:
    """The steps at `factor` times the pace at which they were recorded; no wait is above 5 s.

    Raises BadInputError for a factor that is no number above 0.
    """
    if not (isfinite(factor) and factor > 0):
        raise BadInputError(f"the pace is a factor above 0, such as 2, not {factor}")
    before: datetime | None = None
    for one in steps:
        at = one.step.recorded.at
        waited = (at - before).total_seconds() / factor if before else 0.0
        if waited > 0:  # else it follows at once, or the clock was set back
            await clock.sleep(min(waited, LONGEST_WAIT))
        before = at
        yield one
