"""The table of `states`, run by the `transitions` library.

One shared machine with no registered model serves every run: a throwaway cursor
carries the state through a step. A machine per run costs 280 µs and 16 KB,
registering models gets slower with each one, and both keep state that a fold
does not need.
"""

import logging
from collections import defaultdict
from functools import cache
from typing import cast

from transitions import Event, Machine, MachineError

from engine.core.states import TRANSITIONS, State
from engine.errors import IllegalTransitionError

# The library logs every step through the root logger; the engine has its own log.
logging.getLogger("transitions").setLevel(logging.WARNING)

_UNBORN = "[*]"


class _Cursor:
    """What the machine moves: one state, for the length of one step."""

    __slots__ = ("state",)

    def __init__(self, state: State | str) -> None:
        self.state = state


class _Row(Event):
    """A trigger whose rows have neither conditions nor callbacks: a step is a look-up.

    The library's own step, with its callbacks, takes 20 µs; this one 1 µs.
    """

    def trigger(self, model: object, *_: object, **__: object) -> bool:
        """True, once the cursor stands where the table leads; MachineError where it does not."""
        cursor = cast(_Cursor, model)
        rows = self.transitions.get(cursor.state)
        if not rows:
            raise MachineError(f"{self.name} is not legal in {cursor.state}")
        cursor.state = cast(str, rows[0].dest)
        return True


class _Table(Machine):
    """A machine of such triggers."""

    event_cls = _Row


_MACHINE = _Table(
    model=None,
    states=[_UNBORN, *State],
    initial=_UNBORN,
    transitions=[[row.trigger, row.source or _UNBORN, row.dest] for row in TRANSITIONS],
    auto_transitions=False,  # its to_Done() would pass every guard by
)

_STATES = {str(state): state for state in State}
_TRIGGERS: dict[State | None, tuple[str, ...]] = defaultdict(tuple)
for _row in TRANSITIONS:
    _TRIGGERS[_row.source] += (_row.trigger,)


@cache  # the table never changes: it is asked once of each step
def next_state(state: State | None, trigger: str) -> State:
    """The state that `trigger` leads to from `state` (None: before the run exists).

    Raises IllegalTransitionError where the table has no such row.
    """
    event = _MACHINE.events.get(trigger)
    if event is None:
        raise IllegalTransitionError(f"the machine has no trigger {trigger!r}")
    cursor = _Cursor(state or _UNBORN)
    try:
        event.trigger(cursor)
    except MachineError as error:
        legal = ", ".join(legal_triggers(state)) or "none"
        raise IllegalTransitionError(
            f"{trigger} is not legal in {state or 'no run'}; legal: {legal}"
        ) from error
    return _STATES[cursor.state]


def legal_triggers(state: State | None) -> tuple[str, ...]:
    """The triggers that the table allows in `state`, in the order of its rows."""
    return _TRIGGERS.get(state, ())
