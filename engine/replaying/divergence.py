"""Where today's code would do otherwise than what was recorded."""

import difflib
import json
from collections.abc import Mapping

from pydantic import JsonValue

from engine.core import events as ev
from engine.core.run import Run
from engine.core.shape import Shape
from engine.core.states import State

# What merely depends on the moment or the driver; names that are made of the run's, as a fork
# has those of the run that it was copied from; and digests of what is compared by itself, as a
# masked record has those of what it does not tell.
_PASSING: Mapping[str, frozenset[str]] = {
    "tool_started": frozenset({"epoch", "idempotency_key"}),
    "context_compacted": frozenset({"before", "tokens"}),  # sizes are estimates
    "sticky_rule_added": frozenset({"rule_id"}),
    "approval_requested": frozenset({"approval_id", "digest", "expires_at", "remind_at"}),
    "approval_granted": frozenset({"digest"}),
    "approval_denied": frozenset({"digest"}),
    "approval_answered": frozenset({"digest"}),
    "approval_expired": frozenset({"digest", "expires_at"}),
}


class Divergence(Shape):
    """The first difference between a recorded run and today's code.

    `expected` is what was done and `got` what today's code does instead, both in words. `seq`
    and `kind` are those of the recorded event; `turn` counts from 1, and is 0 where the run
    begins. `diff` is a unified diff where there are two texts.
    """

    run_id: str
    turn: int
    seq: int
    kind: str
    expected: str
    got: str
    diff: str | None = None

    @property
    def words(self) -> str:
        """All of it but the diff, in one sentence."""
        turn = f"turn {self.turn}, " if self.turn else ""
        return f"{turn}seq {self.seq}: {self.expected}; {self.got}"


def differs_at(  # what there is to say
    run: Run, one: ev.Recorded, expected: str, got: str, diff: str | None = None
) -> Divergence:
    """A divergence at that event, which came upon that run."""
    turn = run.turns + (run.state is State.AwaitingModel)
    return Divergence(
        run_id=run.id,
        turn=turn,
        seq=one.seq,
        kind=one.event.kind,
        expected=expected,
        got=got,
        diff=diff,
    )


def lasting(event: ev.Event) -> dict[str, JsonValue]:
    """What an event says whenever, and by whomever, it is recorded."""
    return event.model_dump(mode="json", exclude=set(_PASSING.get(event.kind, ())))


def is_same(recorded: ev.Event, today: ev.Event, *, of_old: bool = False) -> bool:
    """Whether they say the same; of an old event only what it says is compared."""
    if recorded.kind != today.kind:
        return False
    then, now = lasting(recorded), lasting(today)
    if of_old:
        said = recorded.model_dump(exclude_defaults=True)
        now |= {name: then[name] for name in then if name not in said}
    return then == now


def fields_apart(recorded: ev.Event, today: ev.Event) -> list[str]:
    """The fields in which two events of one kind differ."""
    before, now = lasting(recorded), lasting(today)
    return [name for name in before if before[name] != now[name]]


def diff_of(before: JsonValue, now: JsonValue) -> str | None:
    """A unified diff of two JSON values, or of two texts as they are; None where they are equal."""
    lines = difflib.unified_diff(
        _text(before).splitlines(), _text(now).splitlines(), "recorded", "today", lineterm=""
    )
    return "\n".join(lines) or None


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
