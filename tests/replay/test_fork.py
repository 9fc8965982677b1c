"""A fork shares a past and nothing else: no verdict, no key, and no effect is made twice."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import BadInputError, LoggedRun, RefusedError, State, events, logged_runs
from engine.codec.chain import Place, cover
from engine.core.commands import Fork
from engine.core.evolve import fold
from engine.core.messages import Message
from engine.core.run import Origin, Run
from engine.journal.walk import Step, walk
from engine.replaying.fork import forked, made_since
from engine.runtime.draft import Draft
from tests.spec import NOON, STARTED, asks

LATER = NOON + timedelta(days=1)
JOURNALS = Path(__file__).parent / "journals"
LOGGED = [
    one
    for version in sorted(JOURNALS.iterdir())
    for one in logged_runs([version / "runs.jsonl"])
    if not any(entry.kind == "data_erased" for entry in one.entries)
]
# What a fork has of its own; in all else it is the run that it was forked off.
OWN = {
    "id",
    "state",
    "seq",
    "updated_at",
    "origin",
    "calls",
    "approvals",
    "rules",
    "retry_at",
    "raised",
}
ASKED = asks(("pay", '{"order": "1"}'), ("look", '{"order": "1"}'))


def journal(*told: events.Event) -> tuple[Step, ...]:
    """The steps of the run r1 with these events."""
    draft = Draft()
    draft.record(told, NOON)
    return tuple(walk(draft.staged, "r1"))


def started(call_id: str = "call_1_1", **more: object) -> events.ToolStarted:
    about = {"call_id": call_id, "tool": "pay", "arguments": {"order": "1"}}
    return events.ToolStarted.model_validate({**about, "idempotency_key": "k", **more})


def asked(approval_id: str = "r1.1", call_id: str = "call_1_1") -> events.ApprovalRequested:
    return events.ApprovalRequested(
        approval_id=approval_id, call_id=call_id, tool="pay", arguments={"order": "1"}, digest="d"
    )


def fork_of(*steps: Step, at: int, **wish: object) -> tuple[events.Recorded, ...]:
    wanted = Fork.model_validate({"run_id": "r2", "at": at, **wish})
    return forked(steps, wanted, LATER)


def run_of(recorded: tuple[events.Recorded, ...]) -> Run:
    run = fold(recorded)
    assert run is not None
    return run


def every_fork(logged: LoggedRun) -> Iterator[tuple[Step, tuple[events.Recorded, ...] | None]]:
    """Each step with the fork there; None where it is refused."""
    steps = tuple(logged.steps())
    for step in steps:
        try:
            yield step, fork_of(*steps, at=step.entry.seq)
        except RefusedError:
            yield step, None


@pytest.mark.parametrize("version", sorted(one.name for one in JOURNALS.iterdir()))
def test_every_run_of_any_version_can_be_forked_anywhere_and_is_what_it_was(version: str) -> None:
    made = refused = asking = 0
    for logged in logged_runs([JOURNALS / version / "runs.jsonl"]):
        for step, fork in every_fork(logged):
            if fork is None:
                kinds = [entry.kind for entry in logged.entries]
                assert step.run.state is State.Aborted or "data_erased" in kinds
                refused += 1
                continue
            _is_what_it_was(step, fork)
            made += 1
            asking += step.run.state is State.AwaitingApproval
    assert made > 60
    assert refused > 0
    assert asking > 5


def _is_what_it_was(step: Step, fork: tuple[events.Recorded, ...]) -> None:
    old, new = step.run, run_of(fork)
    assert new.origin == Origin(run_id=old.id, seq=old.seq)
    asks_people = old.state is State.AwaitingApproval
    assert new.state == (State.DispatchingTools if asks_people else old.state)
    assert (new.approvals, new.rules) == ((), ())
    assert new.raised == {}
    same = new.model_dump(exclude={*OWN, "verdicts"})
    assert same == old.model_dump(exclude={*OWN, "verdicts"})
    assert [one.by for one in new.verdicts] == [one.by for one in old.verdicts]
    for was, call in zip(old.calls, new.calls, strict=True):
        assert (call.id, call.tool) == (was.id, was.tool)
        assert (call.status == "settled") == (was.status == "settled")
        assert (call.status == "interrupted") >= was.in_doubt
    assert b'r2"' in orjson.dumps([one.event.model_dump(mode="json") for one in fork])
    for one in fork[:-1]:
        ids = [getattr(one.event, name, None) for name in ("approval_id", "rule_id")]
        assert not any(name and name.startswith(f"{old.id}.") for name in ids)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(max_examples=60)
@given(st.data())
def test_a_message_or_instructions_change_that_and_nothing_else(data: st.DataObject) -> None:
    logged = data.draw(st.sampled_from(LOGGED))
    steps = tuple(logged.steps())
    at = data.draw(st.integers(1, len(steps)))
    text = data.draw(TEXT)
    if steps[at - 1].run.state is State.Aborted:
        return
    plain = run_of(fork_of(*steps, at=at))
    told = run_of(fork_of(*steps, at=at, message=text, by="ann"))
    assert [one.content for one in (*told.messages, *told.inbox) if one.role == "user"][-1] == text
    assert told.seq == plain.seq + 1
    assert (told.calls, told.results, told.turns) == (plain.calls, plain.results, plain.turns)
    instructed = run_of(fork_of(*steps, at=at, instructions=text))
    assert instructed.messages == (Message(role="system", content=text), *plain.messages[1:])
    same = {"messages": plain.messages, "context_tokens": plain.context_tokens}  # an estimate
    assert instructed.model_copy(update=same) == plain


def test_the_copied_past_keeps_its_times_and_names_where_it_comes_from() -> None:
    steps = journal(STARTED, ASKED, asked())
    fork = fork_of(*steps, at=2, by="ann", message="Wait")
    assert [one.event.kind for one in fork] == [
        "run_started",
        "tools_requested",
        "run_forked",
        "message_received",
    ]
    assert [one.at for one in fork] == [NOON, NOON, LATER, LATER]
    off = events.RunForked(run_id="r1", at_seq=2, digest=steps[1].entry.digest.hex(), by="ann")
    assert fork[2].event == off
    assert fork[3].event == events.MessageReceived(message="Wait", by="ann")


def test_a_fork_of_a_fork_names_the_one_that_it_was_forked_off() -> None:
    draft = Draft()
    for one in fork_of(*journal(STARTED, ASKED, asked()), at=3):
        draft.record((one.event,), one.at)
    draft.record((asked("r2.2"),), NOON)
    steps = tuple(walk(draft.staged, "r2"))
    third = run_of(forked(steps, Fork(run_id="r3", at=5), LATER))
    assert third.origin == Origin(run_id="r2", seq=5)
    again = forked(steps, Fork(run_id="r3", at=5), LATER)
    ids = [getattr(one.event, "approval_id", None) for one in again]
    assert [name for name in ids if name] == ["r3.1", "r3.2"]


@pytest.mark.parametrize("status", ["requested", "waiting", "granted"])
def test_a_call_that_was_not_started_can_be_asked_for_with_other_arguments(status: str) -> None:
    granted = events.ApprovalGranted(approval_id="r1.1", call_id="call_1_1", digest="d", by="ann")
    told = {"requested": (), "waiting": (asked(),), "granted": (asked(), granted)}[status]
    steps = journal(STARTED, ASKED, *told)
    assert steps[-1].run.call("call_1_1").status == status
    fork = fork_of(*steps, at=len(steps), arguments={"call_1_1": {"order": "2", "amount": 7}})
    run = run_of(fork)
    assert run.tool_call("call_1_1").function.arguments == '{"order":"2","amount":7}'
    assert run.tool_call("call_1_2") == steps[-1].run.tool_call("call_1_2")
    assert run.call("call_1_1").status == "requested"
    assert steps[1].run.tool_call("call_1_1").function.arguments == '{"order": "1"}'


def test_a_call_that_was_started_or_settled_is_to_be_changed_earlier() -> None:
    denied = events.ApprovalDenied(approval_id="r1.1", call_id="call_1_1", digest="d", by="ann")
    other = started("call_1_2", tool="look", repeats="read_only")
    cases = [
        (STARTED, ASKED, other, started()),
        (STARTED, ASKED, other, started(), events.ToolReturned(call_id="call_1_1", content="ok")),
        (STARTED, ASKED, asked(), denied),
        (STARTED, ASKED, other, events.ToolFailed(call_id="call_1_1", error="no")),
    ]
    for told in cases:
        with pytest.raises(RefusedError, match="fork earlier, at seq 3$"):
            fork_of(*journal(*told), at=len(told), arguments={"call_1_1": {}})


@pytest.mark.parametrize(
    ("at", "wish", "words"),
    [
        (0, {}, "no event 0 to fork at; the run has 1 to 3"),
        (4, {}, "no event 4 to fork at"),
        (-1, {}, "no event -1 to fork at"),
        (3, {"message": "a", "instructions": "b"}, "changes one thing"),
        (3, {"arguments": {"call_1_1": {}, "call_1_2": {}}}, "changes one thing"),
        (3, {"arguments": {}}, "changes one thing"),
        (3, {"arguments": {"call_9_9": {}}}, "no open call 'call_9_9' at seq 3; it has: call_1_1"),
        (1, {"arguments": {"call_1_1": {}}}, "no open call 'call_1_1' at seq 1; it has: none"),
        (3, {"arguments": {"call_1_1": {"n": 2**60}}}, "the arguments for call_1_1"),
        (3, {"arguments": {"call_1_1": {"n": float("nan")}}}, "the arguments for call_1_1"),
        (3, {"message": " "}, "the message is empty"),
        (3, {"message": "\ud800"}, "no text"),
        (3, {"instructions": ""}, "the instructions are empty"),
        (3, {"instructions": "\ud800"}, "no text"),
        (3, {"by": " "}, "by is empty"),
        (3, {"run_id": "r1"}, "another id than its own"),
        (3, {"run_id": "../r2"}, "no run id"),
    ],
)
def test_what_makes_no_sense_is_refused(at: int, wish: dict[str, object], words: str) -> None:
    steps = journal(STARTED, ASKED, asked())
    wanted = {"run_id": "r2", "at": at, **wish}
    with pytest.raises(BadInputError, match=words):
        forked(steps, Fork.model_construct(**{**dict(Fork(run_id="", at=0)), **wanted}), LATER)


def test_an_aborted_run_is_forked_before_its_end_only() -> None:
    steps = journal(STARTED, ASKED, events.RunAborted(reason="enough"))
    with pytest.raises(RefusedError, match="was aborted by seq 3, .* choose an earlier seq"):
        fork_of(*steps, at=3)
    assert run_of(fork_of(*steps, at=2)).state is State.DispatchingTools


def test_what_was_erased_is_no_past_to_go_on_from() -> None:
    answered = events.ModelAnswered(message=Message(role="assistant", content="Done."))
    steps = journal(STARTED, answered, events.DataErased(by="ann"))
    for at in (1, 2, 3):
        with pytest.raises(RefusedError, match="in run r1 was erased, .* cannot be forked"):
            fork_of(*steps, at=at)


def test_arguments_that_a_log_masked_are_not_run_by_a_fork_either() -> None:
    draft = Draft()
    draft.record((STARTED, ASKED), NOON)
    born, wants = draft.staged
    data = wants.data.replace(b'{\\"order\\": \\"1\\"}', b'{\\"order\\": \\"***\\"}', 1)
    assert data != wants.data
    place = Place("r1", wants.seq, wants.at, wants.kind)
    masked = wants._replace(data=data, cover=cover((born.digest, wants.digest), place, data))
    fork = fork_of(*walk((born, masked), "r1"), at=2)
    assert fork[-1].event == events.ArgumentsLost(calls=("call_1_1",))
    lost, other = run_of(fork).calls
    assert (lost.lost, other.lost, other.status) == (True, False, "requested")


def test_the_calls_that_a_fork_may_make_again_are_those_with_effects() -> None:
    done = events.ToolReturned(call_id="call_1_1", content="ok")
    read = started("call_1_2", repeats="read_only")
    steps = journal(STARTED, ASKED, read, started(), started(attempt=2), done)
    told = tuple(step.recorded for step in steps)
    assert [one.seq for one in made_since(told, 2)] == [4]
    assert [one.seq for one in made_since(told, 4)] == [5]
    assert made_since(told, 5) == ()
    rolled_back = journal(STARTED, ASKED, started(repeats="transactional"), done)
    told = tuple(step.recorded for step in rolled_back)
    assert [one.seq for one in made_since(told, 3)] == [3]
    assert made_since(told, 4) == ()
