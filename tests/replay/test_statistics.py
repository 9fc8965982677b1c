"""Statistics over several runs, with numbers worked out by hand."""

import weakref
from collections.abc import Iterator

from engine import State, Usage
from engine.core import events as ev
from engine.prices import LISTED
from engine.replaying.figures import ApprovalUse, ToolUse
from engine.replaying.statistics import statistics
from engine.replaying.totals import Cost, Statistics, Waits
from tests.replay.told import (
    DECIDED,
    PAY,
    SETTLED,
    Journal,
    answer,
    asked,
    denied,
    model_failed,
    said,
    told,
)

MODEL = "gpt-5-mini"
PRICE = LISTED.cost(MODEL, Usage(input_tokens=1000, output_tokens=100))


def waiting(seconds: float, run_id: str = "r1", tool: str = "pay") -> Journal:
    """A run in which a person took so long to say no, and which went on for a second more."""
    return told(
        (0, said((tool, "{}"))),
        (0, asked(tool=tool)),
        (seconds, denied()),
        (seconds, DECIDED),
        (seconds, SETTLED),
        (seconds + 1, answer()),
        run_id=run_id,
    )


def test_of_no_run_there_is_nothing() -> None:
    nothing = statistics(())
    assert (nothing.runs, nothing.states, nothing.longest) == (0, {}, ())
    assert nothing.waits == Waits(count=0, median=None, p95=None)
    assert nothing.cost == Cost(known=None, unpriced=0)


def test_runs_are_counted_by_state_and_workflow_with_what_they_took() -> None:
    priced = told((1, answer("Hi", MODEL, (1000, 100))))
    dear = told((1, model_failed()), (2, answer("Hi", "mine", (10, 1))), run_id="r2")
    parked = told((1, said(PAY)), (2, asked()), run_id="r3", workflow="bank")
    found = statistics([priced, dear, parked, priced])
    assert found.runs == 4
    assert found.states == {State.AwaitingApproval: 1, State.Done: 3}
    assert [(one.workflow, one.runs, one.turns, one.cost) for one in found.workflows] == [
        ("bank", 1, 1, Cost(known=None, unpriced=1)),
        ("shop", 3, 3, Cost(known=PRICE and PRICE * 2, unpriced=1)),
    ]
    assert [(one.model, one.runs, one.replies, one.cost) for one in found.models] == [
        (None, 1, 1, Cost(known=None, unpriced=1)),
        (MODEL, 2, 2, Cost(known=PRICE and PRICE * 2, unpriced=0)),
        ("mine", 1, 1, Cost(known=None, unpriced=1)),
    ]
    assert found.cost == Cost(known=PRICE and PRICE * 2, unpriced=2)
    assert found.usage == Usage(input_tokens=2010, output_tokens=201)
    assert (found.model_failures, found.model_retries) == (1, 1)
    assert found.approvals == ApprovalUse(asked=1, open=1)
    assert found.tools == (ToolUse(tool="pay", asked=1, open=1),)


def test_of_the_waits_the_middle_and_the_ninety_fifth_of_a_hundred_are_told() -> None:
    found = statistics(waiting(seconds) for seconds in range(1, 102))
    assert found.waits == Waits(count=101, median=51.0, p95=96.0)
    assert found.approvals == ApprovalUse(asked=101, denied=101)
    assert found.tools == (ToolUse(tool="pay", asked=101, decided=101),)


def test_waits_are_told_by_tool_too_and_open_ones_are_in_none() -> None:
    parked = told((1, said(PAY)), (500, asked()))
    aborted = told((1, said(PAY)), (2, asked()), (900, ev.RunAborted(reason="enough")))
    found = statistics([waiting(4), waiting(10), waiting(7, tool="send"), parked, aborted])
    assert found.waits.count == 3
    assert found.waits.median == 7.0
    assert found.waits_by_tool.keys() == {"pay", "send"}
    assert found.waits_by_tool["pay"].median == 7.0
    assert found.waits_by_tool["send"] == Waits(count=1, median=7.0, p95=7.0)
    assert found.approvals == ApprovalUse(asked=5, denied=3, given_up=1, open=1)


def test_the_ten_longest_runs_are_named() -> None:
    found = statistics(waiting(place * 10, f"r{place}") for place in range(15))
    assert [one.run_id for one in found.longest] == [f"r{place}" for place in range(14, 4, -1)]
    assert (found.longest[0].elapsed, found.longest[0].waited) == (141.0, 140.0)


def test_journals_are_let_go_as_they_are_read() -> None:
    seen: list[weakref.ref[ev.Recorded]] = []

    def many() -> Iterator[Journal]:
        for place in range(20):
            journal = waiting(place)
            seen.append(weakref.ref(journal[0]))
            assert sum(one() is not None for one in seen) <= 2  # this one, and the one before
            yield journal

    assert statistics(many()).runs == len(seen) == 20


def test_the_figures_survive_json() -> None:
    found = statistics([waiting(4), told((1, answer("Hi", MODEL, (1000, 100))))])
    assert Statistics.model_validate_json(found.model_dump_json()) == found


def test_what_a_fork_copied_is_counted_once() -> None:
    forked = ev.RunForked(run_id="r1", at_seq=2, digest="00")
    origin = told((1, said(PAY, model=MODEL, tokens=(1000, 100))), (2, asked()))
    fork = told((1, said(PAY, model=MODEL, tokens=(1000, 100))), (50, forked), (51, asked(place=2)))
    found = statistics([origin, fork])
    assert (found.runs, found.cost) == (2, Cost(known=PRICE, unpriced=0))
    assert found.approvals == ApprovalUse(asked=2, open=2)
    assert found.tools == (ToolUse(tool="pay", asked=2, open=2),)
