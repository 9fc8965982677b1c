"""The table is the machine: every row is taken, and nothing else."""

import itertools
import logging
from typing import get_args

import pytest

from engine.core import events as ev
from engine.core.machine import legal_triggers, next_state
from engine.core.states import ACTIVE, ENDED, TRANSITIONS, State, Transition
from engine.errors import IllegalTransitionError

TRIGGERS = sorted({row.trigger for row in TRANSITIONS})
LEGAL = {(row.source, row.trigger): row.dest for row in TRANSITIONS}
ILLEGAL = [pair for pair in itertools.product([None, *State], TRIGGERS) if pair not in LEGAL]
# Rows of the design that no event takes yet; a later issue brings each of them.
RESERVED: set[str] = set()


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.source}-{row.trigger}")
def test_every_row_is_taken(row: Transition) -> None:
    assert next_state(row.source, row.trigger) is row.dest
    assert row.trigger in legal_triggers(row.source)


@pytest.mark.parametrize(("state", "trigger"), ILLEGAL)
def test_every_other_pair_is_refused(state: State | None, trigger: str) -> None:
    with pytest.raises(IllegalTransitionError, match=trigger):
        next_state(state, trigger)
    assert trigger not in legal_triggers(state)


@pytest.mark.parametrize("trigger", ["to_Done", "trigger", "", "no_such"])
def test_nothing_but_the_table_moves_a_run(trigger: str) -> None:
    with pytest.raises(IllegalTransitionError):
        next_state(State.AwaitingApproval, trigger)


def test_no_pair_leads_to_two_states() -> None:
    assert len(LEGAL) == len(TRANSITIONS)


def test_the_five_states_are_spelled_so() -> None:
    spelled = ["AwaitingModel", "DispatchingTools", "AwaitingApproval", "Done", "Aborted"]
    assert [str(state) for state in State] == spelled
    assert {*ACTIVE, *ENDED} == set(State)


def test_events_and_triggers_are_the_same_words() -> None:
    union = get_args(get_args(ev.Event)[0])
    kinds = {event.model_fields["kind"].default for event in union}
    assert kinds == set(TRIGGERS) - RESERVED


def test_the_machine_library_does_not_log_every_step() -> None:
    assert not logging.getLogger("transitions.core").isEnabledFor(logging.DEBUG)
