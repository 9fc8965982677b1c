"""Whether a run has come to one of its bounds, looked at before anything more is spent."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from engine.core.limits import Limits
from engine.core.loops import Circle, circle
from engine.core.run import Run
from engine.core.sizes import next_input


class Reached(NamedTuple):
    """The name of a bound that was reached, and how, in words."""

    limit: str
    words: str


def reached(run: Run, limits: Limits, now: datetime) -> Reached | None:
    """The bound, but for repetition, that keeps the model from being asked once more; or None.

    What the next reply takes is not known before. It is taken to be what is known of it:
    its input, and what the newest reply cost.
    """
    return next(_reached(run, limits, now), None)


def going_round(run: Run, limits: Limits) -> Circle | Reached | None:
    """The circle that the model is to be told of; the bound, where it was told of it in vain."""
    found = circle(run.messages, limits.max_repeats + 1)
    if found is None or found.rounds < limits.max_repeats:
        return None
    if run.looped_at is None or run.looped_at <= found.begins:
        return found
    if found.ends < run.looped_at:
        return None
    words = "the same calls gave the same results again, though the model was told"
    return Reached("max_repeats", f"{words}; max_repeats={limits.max_repeats}")


def _reached(run: Run, limits: Limits, now: datetime) -> Iterator[Reached]:
    if run.turns >= limits.max_turns:
        yield Reached("max_turns", f"the limit max_turns={limits.max_turns} is reached")
    if run.tool_calls > limits.max_tool_calls:
        words = f"it asked for {run.tool_calls} tool calls"
        yield Reached("max_tool_calls", f"{words}; max_tool_calls={limits.max_tool_calls}")
    if (tokens := run.usage.total_tokens + next_input(run)) > limits.max_tokens:
        words = f"{run.usage.total_tokens:,} tokens are spent, and another turn makes it {tokens:,}"
        yield Reached("max_tokens", f"{words}; max_tokens={limits.max_tokens:,}")
    yield from _cost(run, limits)
    if run.seconds >= limits.max_seconds:
        words = f"model and tools worked {run.seconds:.0f} s"
        yield Reached("max_seconds", f"{words}; max_seconds={limits.max_seconds:g}")
    age = (now - run.started_at).total_seconds()
    if limits.max_age is not None and age >= limits.max_age:
        words = f"the run began {age:.0f} s ago"
        yield Reached("max_age", f"{words}; max_age={limits.max_age:g}")


def _cost(run: Run, limits: Limits) -> Iterator[Reached]:
    most = limits.max_cost_usd
    if most is None:
        return
    if run.cost is None or run.last_cost is None:
        words = "what the run has cost is not known"
        yield Reached("max_cost_usd", f"{words}; max_cost_usd={most}")
    elif run.cost + run.last_cost > most:
        words = f"{run.cost:.4f} USD are spent, and another turn costs at least {run.last_cost:.4f}"
        yield Reached("max_cost_usd", f"{words}; max_cost_usd={most}")
