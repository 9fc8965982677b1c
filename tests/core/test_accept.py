"""What people may ask of a run."""

import pytest

from engine.core import events as ev
from engine.core.commands import Abort, Answer, Approve, Deny, Start
from engine.core.demand import Demand
from engine.core.messages import Message
from engine.errors import (
    AmbiguousCallError,
    BadInputError,
    EngineError,
    RefusedError,
    RunExistsError,
    UnknownCallError,
)
from tests.core.test_decide import PAID, PAY, grant, request
from tests.spec import STARTED, asks, given, pay

WAITING = (STARTED, asks(PAY), request(1))
TWO = (STARTED, asks(PAY, PAY), request(1), request(2, "call_1_2"))
DONE = (STARTED, ev.ModelAnswered(message=Message(role="assistant", content="Hi")))


def test_a_start_makes_a_run() -> None:
    given().accepts(Start(run_id="r1", message="Hello"), STARTED)


@pytest.mark.parametrize("message", ["", "  \n"])
def test_an_empty_message_starts_nothing(message: str) -> None:
    given().refuses(Start(run_id="r1", message=message), BadInputError, "empty")


@pytest.mark.parametrize("run_id", ["", "../x", "a b", "-x", "x" * 101, "\x1b[2J", "a\n"])
def test_a_bad_run_id_starts_nothing(run_id: str) -> None:
    given().refuses(Start(run_id=run_id, message="Hello"), BadInputError, "no run id")


def test_a_run_starts_once() -> None:
    given(STARTED).refuses(Start(run_id="r1", message="Hello"), RunExistsError, "r1")


def test_the_only_open_call_need_not_be_named() -> None:
    given(*WAITING).accepts(Approve(by="ann"), grant())


def test_one_of_several_must_be_named() -> None:
    given(*TWO).refuses(
        Approve(by="ann"), AmbiguousCallError, r"pay \(call_1_1\), pay \(call_1_2\)"
    )
    given(*TWO).accepts(Approve(call_id="call_1_1", by="ann"), grant())


def test_a_denial_carries_its_reason() -> None:
    denial = ev.ApprovalDenied(
        approval_id="r1.1",
        call_id="call_1_1",
        digest=request(1).digest,
        by="ann",
        reason="no",
    )
    given(*WAITING).accepts(Deny(by="ann", reason="no"), denial)


@pytest.mark.parametrize(
    ("journal", "command", "error", "match"),
    [
        (
            WAITING,
            Approve(call_id="call_9_9", by="ann"),
            UnknownCallError,
            r"it waits for: pay \(call_1_1\)",
        ),
        ((*TWO, grant()), Approve(call_id="call_1_1", by="bob"), UnknownCallError, "call_1_2"),
        ((*WAITING, grant()), Approve(by="bob"), RefusedError, "waits for no verdict"),
        (DONE, Approve(by="ann"), RefusedError, "is Done"),
        (DONE, Deny(by="ann"), RefusedError, "is Done"),
        (DONE, Abort(by="ann"), RefusedError, "is Done already"),
        (WAITING, Approve(by=" "), BadInputError, "by is empty"),
        ((), Approve(by="ann"), RefusedError, "not been started"),
    ],
)
def test_what_makes_no_sense_is_refused(
    journal: tuple[ev.Event, ...],
    command: Approve | Deny | Abort,
    error: type[EngineError],
    match: str,
) -> None:
    given(*journal).refuses(command, error, match)


def test_an_abort_keeps_what_was_found() -> None:
    given(STARTED).accepts(
        Abort(by="ann", reason="enough"),
        ev.RunAborted(reason="aborted by ann: enough", by="ann"),
    )


def test_a_verdict_on_what_was_seen_holds_for_nothing_else() -> None:
    more = {**PAID, "amount": 999.0}
    two = (STARTED, asks(PAY, PAY), request(1))
    parked = given(*two, request(2, "call_1_2", arguments=more, digest=pay.digest(more, Demand())))
    assert parked.run is not None
    first, second = parked.run.approvals
    for seen in (first.digest, first.digest[:8]):
        granted = ev.ApprovalGranted(
            approval_id=first.approval_id, call_id=first.call_id, digest=first.digest, by="ann"
        )
        parked.accepts(Approve(call_id=first.call_id, by="ann", digest=seen), granted)
    for command in (
        Approve(call_id=first.call_id, by="ann", digest=second.digest),
        Deny(call_id=first.call_id, by="ann", digest=second.digest[:12]),
        Answer(call_id=first.call_id, by="ann", digest=second.digest[:12], result="x"),
    ):
        parked.refuses(command, RefusedError, f"it is {first.digest[:12]} by now")
    for odd in ("", "76ba", "x" * 12, first.digest.upper(), "a" * 65):
        parked.refuses(
            Approve(call_id=first.call_id, by="ann", digest=odd), BadInputError, "is no digest"
        )
