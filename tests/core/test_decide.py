"""What a run does next."""

from datetime import timedelta

import pytest

from engine.core import events as ev
from engine.core.canonical import idempotency_key
from engine.core.demand import Demand
from engine.core.effects import CallModel, CallTools, Park, Record
from engine.core.messages import Arguments, Message
from engine.core.tools import tool
from engine.core.workflow import Workflow
from tests.spec import NOON, STARTED, WORKFLOW, asks, given, look, pay

LOOK = ("look", '{"order": "1"}')
PAY = ("pay", '{"order": "1"}')
PAID: Arguments = {"order": "1", "amount": 5.0}


def intent(call_id: str, name: str, arguments: Arguments, **more: object) -> ev.ToolStarted:
    key = idempotency_key("r1", call_id)
    fields = {
        "call_id": call_id,
        "tool": name,
        "arguments": arguments,
        "idempotency_key": key,
        "repeats": "read_only" if name == "look" else None,
    }
    return ev.ToolStarted.model_validate(fields | more)


def request(number: int, call_id: str = "call_1_1", **more: object) -> ev.ApprovalRequested:
    fields = {
        "approval_id": f"r1.{number}",
        "call_id": call_id,
        "tool": "pay",
        "arguments": PAID,
        "digest": pay.digest(PAID, Demand()),
    }
    return ev.ApprovalRequested.model_validate(fields | more)


def grant(call_id: str = "call_1_1", digest: str | None = None) -> ev.ApprovalGranted:
    return ev.ApprovalGranted(
        approval_id="r1.1",
        call_id=call_id,
        digest=digest or pay.digest(PAID, Demand()),
        by="ann",
    )


def failed(attempt: int, after: float = 0) -> ev.ModelFailed:
    return ev.ModelFailed(error="503", attempt=attempt, retry_at=NOON + timedelta(seconds=after))


def test_a_new_run_asks_the_model() -> None:
    given(STARTED).decides(CallModel(turn=1, attempt=1))


def test_a_read_only_tool_runs_at_once() -> None:
    given(STARTED, asks(LOOK)).decides(CallTools((intent("call_1_1", "look", {"order": "1"}),)))


def test_a_changing_tool_needs_a_person_and_shows_its_final_arguments() -> None:
    given(STARTED, asks(PAY)).decides(Record((request(1),)))


def test_an_ungated_call_does_not_wait_for_a_gated_one() -> None:
    given(STARTED, asks(PAY, LOOK)).decides(Record((request(1),)))
    given(STARTED, asks(PAY, LOOK), request(1)).decides(
        CallTools((intent("call_1_2", "look", {"order": "1"}),))
    )


def test_an_unknown_tool_is_a_result_that_lists_the_tools() -> None:
    refusal = ev.ToolFailed(
        call_id="call_1_1", error="There is no tool 'buy'. The tools are: look, pay."
    )
    given(STARTED, asks(("buy", "{}"), LOOK)).decides(Record((refusal,)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "malformed JSON"),
        ("[]", "JSON object"),
        ('{"order": "1", "order": "2"}', "twice"),
        ('{"order": NaN}', "NaN"),
        ('{"order": "\\ud800"}', "non-UTF-8"),
        ('{"order": "1", "amount": 90071992547409930}', "90071992547409930"),
        ("[" * 100_000, "nested"),
        ('{"order": ' + "9" * 5000 + "}", "digit"),
        ("{}", "order: Field required"),
        ('{"order": "1", "amount": "much"}', "amount"),
        ('{"order": "1", "to": "me"}', "to"),
    ],
)
def test_bad_arguments_are_a_result_before_any_approval(text: str, said: str) -> None:
    effect = given(STARTED, asks(("pay", text))).effect()
    assert isinstance(effect, Record)
    (refusal,) = effect.events
    assert isinstance(refusal, ev.ToolFailed)
    assert said in refusal.error


def test_an_open_approval_parks_the_run() -> None:
    given(STARTED, asks(PAY), request(1)).decides(Park())


def test_the_last_verdict_settles_the_approvals() -> None:
    given(STARTED, asks(PAY), request(1), grant()).decides(Record((ev.ApprovalsSettled(),)))


def test_a_granted_call_runs_under_its_approval() -> None:
    settled = given(STARTED, asks(PAY), request(1), grant(), ev.ApprovalsSettled())
    settled.decides(CallTools((intent("call_1_1", "pay", PAID, approval_id="r1.1"),)))


def test_a_grant_of_another_action_is_asked_again() -> None:
    other = given(STARTED, asks(PAY), request(1), grant(digest="0" * 64), ev.ApprovalsSettled())
    other.decides(Record((request(2),)))


def test_a_tool_whose_schema_changed_is_asked_again() -> None:
    @tool(name="pay")
    def changed(order: str, amount: float = 5.0, currency: str = "EUR") -> str:
        """Pay in some currency."""
        return f"{order} {amount} {currency}"

    workflow = Workflow(name="shop", instructions="Help.", tools=(changed,))
    settled = given(STARTED, asks(PAY), request(1), grant(), ev.ApprovalsSettled())
    arguments: Arguments = {**PAID, "currency": "EUR"}
    reason = "the tool pay has another schema than when the model asked for it"
    asked: Arguments = {"order": "1"}
    today = changed.digest(asked, Demand())
    question = request(2, approval_kind="changed", arguments=asked, digest=today, reason=reason)
    settled.under(workflow).decides(Record((question,)))
    accepted = ev.ApprovalGranted(approval_id="r1.2", call_id="call_1_1", digest=today, by="ann")
    path = (STARTED, asks(PAY), request(1), grant(), ev.ApprovalsSettled(), question, accepted)
    given(*path, ev.ApprovalsSettled()).under(workflow).decides(
        Record((request(3, arguments=arguments, digest=changed.digest(arguments, Demand())),))
    )


def test_a_denied_call_never_runs() -> None:
    denial = ev.ApprovalDenied(
        approval_id="r1.1", call_id="call_1_1", digest="0" * 64, by="ann", reason="too much"
    )
    denied = given(STARTED, asks(PAY), request(1), denial, ev.ApprovalsSettled())
    denied.decides(Record((ev.ToolsSettled(),)))
    assert denied.run is not None
    assert denied.run.results[0].content == "Denied by a person: too much"


def test_results_go_to_the_model_in_the_model_s_order() -> None:
    run = given(
        STARTED,
        asks(LOOK, LOOK),
        intent("call_1_1", "look", {"order": "1"}),
        intent("call_1_2", "look", {"order": "1"}),
        ev.ToolReturned(call_id="call_1_2", content="second"),
        ev.ToolReturned(call_id="call_1_1", content="first"),
        ev.ToolsSettled(),
    ).run
    assert run is not None
    assert [m.content for m in run.messages[-2:]] == ["first", "second"]
    assert (run.calls, run.results) == ((), ())


def test_a_lost_result_of_a_read_only_tool_is_fetched_again_under_the_same_key() -> None:
    started = intent("call_1_1", "look", {"order": "1"})
    again = intent("call_1_1", "look", {"order": "1"}, attempt=2)
    given(STARTED, asks(LOOK), started).decides(CallTools((again,)))
    assert again.idempotency_key == started.idempotency_key


def test_a_lost_result_of_a_changing_tool_is_never_repeated_silently() -> None:
    started = intent("call_1_1", "pay", PAID, approval_id="r1.1")
    lost = given(STARTED, asks(PAY), request(1), grant(), ev.ApprovalsSettled(), started)
    reason = "its driver stopped while it ran; the tool may not be repeated unasked"
    lost.decides(Record((request(2, approval_kind="in_doubt", reason=reason),)))


def test_a_failed_model_is_left_alone_until_its_time() -> None:
    given(STARTED, failed(1, after=9)).decides(Park(until=NOON + timedelta(seconds=9)))
    given(STARTED, failed(1, after=9)).later(9).decides(CallModel(turn=1, attempt=2))


def test_a_model_that_keeps_failing_ends_the_run() -> None:
    effect = given(STARTED, failed(1), failed(2)).limited(max_attempts=2).effect()
    assert isinstance(effect, Record)
    (aborted,) = effect.events
    assert isinstance(aborted, ev.RunAborted)
    assert aborted.limit == "max_attempts"
    assert "503" in aborted.reason


def test_past_max_turns_the_run_ends_naming_the_limit_and_what_was_found() -> None:
    turn = (
        asks(LOOK),
        intent("call_1_1", "look", {"order": "1"}),
        ev.ToolReturned(call_id="call_1_1", content="order 1"),
        ev.ToolsSettled(),
    )
    given(STARTED, *turn).limited(max_turns=1).decides(
        Record(
            (
                ev.RunAborted(
                    reason="the limit max_turns=1 is reached", limit="max_turns", found="order 1"
                ),
            )
        )
    )


def test_an_ended_run_parks() -> None:
    answer = ev.ModelAnswered(message=Message(role="assistant", content="Hi"))
    given(STARTED, answer).decides(Park())
    given(STARTED, ev.RunAborted(reason="enough")).decides(Park())


def test_the_key_of_a_call_depends_on_run_and_call_alone() -> None:
    assert idempotency_key("a", "b") == idempotency_key("a", "b")
    assert len({idempotency_key(*pair) for pair in (("a", "b"), ("a", "c"), ("ab", ""))}) == 3
    assert WORKFLOW.tool("look") is look
