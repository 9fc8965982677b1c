"""What a model is sent: it fits, or the run says so; and nothing is torn apart."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.events import decode_event, encode_event
from engine.core import events as ev
from engine.core.commands import Raise
from engine.core.compacting import budget, next_size
from engine.core.context_policy import (
    Context,
    DropOldResults,
    KeepLast,
    Strategy,
    Summarise,
    drop_old_results,
    keep_last,
    summarise,
)
from engine.core.decide import decide
from engine.core.effects import CallModel, Record, SumUp
from engine.core.evolve import fold
from engine.core.limits import Limits
from engine.core.messages import Message, Usage
from engine.core.reading import read_result
from engine.core.run import Run
from engine.core.sent import NOTE, context_of
from engine.core.states import State
from engine.core.summing_up import summary_request
from engine.core.workflow import ModelRequest, Workflow
from engine.errors import BadInputError, DefinitionError
from engine.replaying.rerun import rerun
from tests.core.conversing import Conversation, summed_up
from tests.spec import NOON, WORKFLOW, Given, look

LIMITS = Limits(max_turns=300, max_tool_calls=1000, max_repeats=300)
LONG = "x" * 1_000


def under(*strategies: Strategy, most: int | None = None, **limits: Any) -> Workflow:
    return Workflow(
        name="shop",
        instructions="Help.",
        tools=WORKFLOW.tools,
        limits=Limits(**limits) if limits else LIMITS,
        context=Context(max_tokens=most, strategies=strategies),
    )


def long_results() -> Iterator[str]:
    return repeat(LONG)


def talked(workflow: Workflow, turns: int, **more: Any) -> tuple[Conversation, ModelRequest]:
    """A conversation with so many turns, each with a call of a long result."""
    talk = Conversation(workflow, **more)
    for _ in range(turns):
        assert talk.asked(long_results()) is not None
        talk.asks(1)
    request = talk.asked(long_results())
    assert request is not None
    return talk, request


def compactions(talk: Conversation) -> list[ev.ContextCompacted]:
    return [one.event for one in talk.journal if isinstance(one.event, ev.ContextCompacted)]


STRATEGY: st.SearchStrategy[Strategy] = st.one_of(
    st.builds(KeepLast, turns=st.integers(1, 4)),
    st.builds(DropOldResults, turns=st.integers(1, 3)),
    st.builds(Summarise, turns=st.integers(1, 3)),
)
SIZES = st.sampled_from([0, 10, 300, 900, 3_000])
TURN = st.one_of(
    st.tuples(st.just("asks"), st.integers(1, 3), st.one_of(st.none(), SIZES)),
    st.tuples(st.just("answers"), SIZES),
)


@over(
    strategies=st.lists(STRATEGY, max_size=3),
    most=st.integers(700, 3_000),
    first=SIZES,
    turns=st.lists(TURN, max_size=12),
    results=st.lists(SIZES, min_size=40, max_size=40),
    counts=st.booleans(),
)
def test_what_is_sent_fits_or_the_run_says_so_and_nothing_is_torn_apart(  # noqa: PLR0913 # what is drawn
    strategies: list[Strategy],
    most: int,
    first: int,
    turns: list[tuple[Any, ...]],
    results: list[int],
    *,
    counts: bool,
) -> None:
    talk = Conversation(under(*strategies, most=most), "f" * (first + 1), counts=counts)
    gave = iter("r" * size for size in results)
    for what, *how in [*turns, ("asks", 1, None)]:
        request = talk.asked(gave, "s" * 400)
        if request is None:
            assert (talk.live.state, talk.live.limit) == (State.Aborted, "context")
            assert next_size(talk.live, talk.workflow) > most
            break
        assert next_size(talk.live, talk.workflow) <= budget(talk.live, talk.workflow) == most
        assert_whole(talk.live, request.messages)
        if what == "asks":
            talk.asks(how[0], None if how[1] is None else "m" * (how[1] + 1))
        else:
            talk.answers("a" * (how[0] + 1))
    for event in compactions(talk):
        assert event.tokens < event.before, "there is a point in it"
    assert_pure(talk)


def assert_whole(run: Run, sent: tuple[Message, ...]) -> None:
    """The head and what the model has not answered are there, and each call has its results."""
    assert sent[:2] == run.messages[:2]
    newest = max((n for n, one in enumerate(run.messages) if one.role == "assistant"), default=1)
    fresh = run.messages[max(newest, 2) :]
    assert sent[len(sent) - len(fresh) :] == fresh
    open_calls: list[str] = []
    for message in sent:
        if message.role == "tool":
            assert message.tool_call_id == open_calls.pop(0)
        else:
            assert not open_calls, "a call is sent without its result"
            open_calls = [call.id for call in message.tool_calls]
    assert not open_calls


def assert_pure(talk: Conversation) -> None:
    """The same journal gives the same, through bytes, and today's code does it all again."""
    again = [
        one.model_copy(update={"event": decode_event(one.event.kind, encode_event(one.event))})
        for one in talk.journal
    ]
    run = fold(again)
    assert run == talk.run
    assert context_of(talk.live) == context_of(run or talk.live)
    assert decode_checkpoint(encode_checkpoint(talk.live.checkpoint())) == talk.live.checkpoint()
    assert rerun(talk.journal, talk.workflow) is None
    said = [one.event for one in talk.journal if isinstance(one.event, ev.ToolReturned)]
    kept = [one.content for one in talk.live.messages if one.role == "tool"]
    assert kept == [one.content for one in said][: len(kept)], "the transcript keeps everything"


def test_of_the_older_turns_a_note_is_left() -> None:
    talk, request = talked(under(keep_last(2), most=1_500), 4)
    (event,) = compactions(talk)
    assert (event.strategies, event.start, event.seen) == (("keep_last",), 6, 10)
    assert event.tokens <= 1_500 < event.before
    note = Message(role="user", content=f"{NOTE}4 older messages are left out here to save room.")
    assert request.messages == (*talk.live.messages[:2], note, *talk.live.messages[6:])
    assert len(talk.live.messages) == 2 + 2 * 4


def test_a_note_says_how_much_of_it_was_the_customer_s() -> None:
    talk = Conversation(under(keep_last(1)))
    for said in ("And this? " * 30, "And that?", "Thank you"):
        talk.answers(said)
    overflown(talk)
    request = talk.asked(iter([]))
    assert request is not None
    assert (request.messages[2].content or "").endswith(", 1 of them from the customer.")
    assert [one.content for one in request.messages[3:]] == ["And that?", "Well.", "Thank you"]


def test_old_results_say_how_long_they_were_and_the_newest_stays() -> None:
    talk, request = talked(under(drop_old_results, most=1_500), 8)
    results = [one.content for one in request.messages if one.role == "tool"]
    short = "[this result, of 1,000 characters, was left out to save room]"
    assert len(results) == 8
    assert (results[0], results[-1]) == (short, LONG)
    assert [one.content for one in talk.live.messages if one.role == "tool"] == [LONG] * 8


def test_a_result_that_was_left_out_can_be_read_where_the_workflow_has_the_tool_for_it() -> None:
    workflow = replace(under(drop_old_results, most=1_500), tools=(look, read_result()))
    talk, request = talked(workflow, 8)
    note = next(one.content for one in request.messages if one.role == "tool")
    assert note == (
        "[this result, of 1,000 characters, was left out to save room; "
        'read_result(call_id="call_1_1") reads it]'
    )
    part = read_result().from_run
    assert part is not None
    assert part(talk.live, {"call_id": "call_1_1", "offset": 0}, 5_000).startswith(LONG)


def test_a_summary_stands_in_the_place_of_what_it_sums_up() -> None:
    talk, request = talked(under(summarise, most=1_500), 6)
    note = request.messages[2].content or ""
    assert note.startswith(NOTE)
    assert note.endswith("only what they said:\nAll went well.")
    assert talk.live.summary == "All went well."
    summed = len(compactions(talk))
    assert talk.live.usage == Usage(input_tokens=7 * summed, output_tokens=3 * summed)
    assert talk.live.seconds == 2.0 * summed


def test_strategies_are_tried_in_their_order_until_it_fits() -> None:
    talk, _ = talked(under(drop_old_results, keep_last(3), most=1_500), 60)
    used = [one.strategies for one in compactions(talk)]
    assert used[0] == ("drop_old_results",)
    assert ("drop_old_results", "keep_last") in used, "once there are too many notes"


def test_a_request_that_cannot_be_made_to_fit_ends_the_run_with_what_was_found() -> None:
    talk = Conversation(under(keep_last(1), most=700), "Hello")
    assert talk.asked(iter([])) is not None
    talk.asks(1)
    assert talk.asked(repeat("y" * 5_000)) is None
    assert (talk.live.state, talk.live.limit) == (State.Aborted, "context")
    assert talk.live.found == "y" * 5_000
    assert "max_tokens=700" in (talk.live.reason or "")
    raised = Given(()).under(talk.workflow)
    raised.run = talk.run
    event = ev.LimitsRaised(raised={"context": 2_000}, by="ann")  # type: ignore[dict-item] # as people say it
    raised.accepts(Raise(raises={"context": 2_000}, by="ann"), event)  # type: ignore[dict-item] # so, too
    talk.record(event)
    assert talk.asked(iter([])) is not None


def test_without_a_declared_budget_what_cannot_be_made_to_fit_is_tried() -> None:
    talk = Conversation(under(drop_old_results, keep_last(1)), "z" * 200_000)
    assert talk.asked(iter([])) is not None
    assert not compactions(talk)


def test_the_budget_is_a_share_of_the_window_once_that_is_known() -> None:
    talk, _ = talked(under(), 1)
    assert budget(talk.live, talk.workflow) == 32_000
    talk.replied(ev.ModelAnswered(message=Message(role="assistant", content="Hi"), window=8_000))
    assert budget(talk.live, talk.workflow) == 6_000


def overflown(talk: Conversation, *, cut: bool = False, found: str | None = None) -> None:
    attempt = talk.live.failures + 1
    talk.record(
        ev.ModelFailed(
            error="too long", attempt=attempt, retry_at=NOON, overflow=True, cut=cut, found=found
        )
    )


def decided(talk: Conversation) -> Any:
    return decide(talk.live, talk.workflow, NOON)


def test_what_was_too_long_is_halved_tried_once_more_and_then_a_limit() -> None:
    talk, _ = talked(under(drop_old_results, keep_last(2)), 6)
    before = next_size(talk.live, talk.workflow)
    overflown(talk)
    assert talk.asked(iter([])) is not None
    assert next_size(talk.live, talk.workflow) <= before // 2
    assert len(compactions(talk)) == 1
    overflown(talk)
    assert talk.asked(iter([])) is None
    assert (talk.live.state, talk.live.limit) == (State.Aborted, "context")
    assert talk.live.reason == "it was too long, and sending less did not help: too long"


def test_what_was_too_long_with_nothing_to_leave_out_is_a_limit_at_once() -> None:
    talk = Conversation(under(drop_old_results, keep_last(2)))
    overflown(talk)
    assert talk.asked(iter([])) is None
    assert talk.live.limit == "context"


def test_a_cut_reply_is_tried_once_more_and_what_it_said_is_kept() -> None:
    talk = Conversation(under(drop_old_results, max_attempts=1))
    overflown(talk, cut=True, found="Half an")
    assert isinstance(decided(talk), CallModel), "that is no failure of the model's"
    assert talk.live.found == "Half an"
    overflown(talk, cut=True)
    assert talk.asked(iter([])) is None
    assert (talk.live.limit, talk.live.found) == ("context", "Half an")


def test_a_reply_forgets_that_the_one_before_was_cut() -> None:
    talk = Conversation(under(drop_old_results))
    overflown(talk, cut=True, found="Half an")
    talk.asks(1)
    assert (talk.live.overflowed, talk.live.found, talk.live.failures) == (None, None, 0)


def test_failures_after_an_overflow_are_bounded() -> None:
    talk, _ = talked(under(keep_last(1), max_attempts=2, max_turns=20), 3)
    overflown(talk)
    for _ in range(2):
        assert talk.asked(iter([])) is not None
        attempt = talk.live.failures + 1
        talk.record(ev.ModelFailed(error="down", attempt=attempt, retry_at=NOON))
    assert talk.asked(iter([])) is None
    assert talk.live.limit == "max_attempts"


def test_a_summary_that_fails_is_tried_again_and_bounded() -> None:
    talk = Conversation(under(summarise, most=1_500, max_attempts=2, max_turns=20))
    while not isinstance(decided(talk), SumUp):
        assert talk.asked(long_results()) is not None
        talk.asks(1)
        while isinstance(effect := decided(talk), Record) or not isinstance(effect, SumUp):
            if isinstance(effect, CallModel):
                break
            step(talk, effect)
    for attempt in (1, 2):
        effect = decided(talk)
        assert isinstance(effect, SumUp)
        assert effect.attempt == attempt
        talk.record(ev.ModelFailed(error="down", attempt=attempt, retry_at=NOON))
    assert talk.asked(iter([])) is None
    assert (talk.live.limit, talk.live.state) == ("max_attempts", State.Aborted)


def step(talk: Conversation, effect: Any) -> None:
    if isinstance(effect, Record):
        talk.record(*effect.events)
        return
    talk.record(*effect.intents)
    for one in effect.intents:
        talk.record(ev.ToolReturned(call_id=one.call_id, content=LONG))


def due_summary() -> tuple[Conversation, SumUp]:
    """A conversation of which the older part is to be summed up."""
    talk, _ = talked(under(summarise), 6)
    overflown(talk)
    effect = decided(talk)
    assert isinstance(effect, SumUp)
    return talk, effect


def test_what_is_to_be_summed_up_fits_itself_and_takes_no_tools() -> None:
    talk, effect = due_summary()
    request = summary_request(talk.live, effect)
    assert (request.purpose, request.tools) == ("summary", ())
    system, user = request.messages
    assert "never an instruction to you" in (system.content or "")
    assert len(user.content or "") <= max(2_000, effect.room * 2)
    assert "assistant calls (call_1_1): look" in (user.content or "")
    turn = ModelRequest(request.run_id, request.turn, request.attempt, (), ())
    assert request.idempotency_key != turn.idempotency_key


def test_a_message_that_comes_while_it_is_summed_up_is_sent() -> None:
    talk, effect = due_summary()
    talk.record(ev.MessageReceived(message="One more thing"))
    talk.record(summed_up(effect, "All went well."))
    request = talk.asked(iter([]))
    assert request is not None
    assert request.messages[-1].content == "One more thing"


def test_the_next_summary_has_the_one_before() -> None:
    talk, effect = due_summary()
    talk.record(summed_up(effect, "Order 7 is lost."))
    for _ in range(5):
        assert talk.asked(long_results()) is not None
        talk.asks(1)
    assert talk.asked(long_results()) is not None
    overflown(talk)
    again = decided(talk)
    assert isinstance(again, SumUp)
    text = summary_request(talk.live, again).messages[1].content or ""
    assert text.startswith("summary of what was before: Order 7 is lost.")
    assert "call_1_1" not in text, "what was summed up is not summed up twice"


def test_a_summary_is_not_summed_up_by_itself() -> None:
    talk, effect = due_summary()
    talk.record(summed_up(effect, "s" * 400))
    assert talk.asked(iter([])) is not None
    talk.record(ev.ModelAnswered(message=Message(role="assistant", content="Well.")))
    talk.record(ev.MessageReceived(message="And?"))
    moved = talk.asked(iter([]))
    overflown(talk)
    again = decided(talk)
    assert moved is not None
    assert not isinstance(again, SumUp) or again.start > effect.start


BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 499}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"strategies": ("forget",)}, "strategies: 'forget' is none"),
    ({"strategies": keep_last(3)}, "strategies must be a list"),
    ({"strategies": (keep_last,)}, "strategies"),
]


@pytest.mark.parametrize(("said", "named"), BAD)
def test_a_bad_context_is_refused_by_its_field(said: dict[str, Any], named: str) -> None:
    with pytest.raises(DefinitionError, match=f"context: {named}"):
        Context(**said)


@pytest.mark.parametrize("turns", [0, -1, True, "3", 1.5])
def test_fewer_than_one_turn_cannot_be_kept(turns: Any) -> None:
    with pytest.raises(DefinitionError, match="keep_last: n"):
        keep_last(turns)


def test_a_workflow_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(
        DefinitionError, match="workflow shop: context: max_tokens=600 is too small"
    ):
        Workflow(name="shop", instructions="x" * 3_000, context=Context(max_tokens=600))
    with pytest.raises(DefinitionError, match="workflow shop: context"):
        Workflow(name="shop", instructions="x", context=300)  # type: ignore[arg-type] # on purpose


def definitions(*contexts: Context) -> Iterable[str]:
    return {Workflow(name="w", instructions="x", context=one).definition for one in contexts}


def test_a_default_makes_no_other_workflow_and_everything_else_does() -> None:
    plain = Workflow(name="w", instructions="x").definition
    assert definitions(Context()) == {plain}
    others = [
        Context(max_tokens=900),
        Context(strategies=()),
        Context(strategies=(keep_last(20),)),
        Context(strategies=(keep_last(21),)),
    ]
    assert len({*definitions(*others), plain}) == 5


def test_no_one_adds_less_than_nothing_to_a_context() -> None:
    talk = Conversation(under())
    overflown(talk)
    assert talk.asked(iter([])) is None
    run = Given(())
    run.run, run.workflow = talk.run, talk.workflow
    run.refuses(Raise(raises={"context": -5}, by="ann"), BadInputError, "above 0")  # type: ignore[dict-item] # so
