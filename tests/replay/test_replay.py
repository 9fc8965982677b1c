"""A journal is gone through again, verified step by step; nothing outside is touched."""

import importlib
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine import (
    BadInputError,
    CorruptRunError,
    Engine,
    Entry,
    ModelReply,
    ModelRequest,
    Run,
    ScriptedModel,
    State,
    Tally,
    UnverifiedRunError,
    Workflow,
    events,
    logged_runs,
    replay,
)
from engine.codec.chain import Place, chain, read_keys
from engine.core.effects import CallModel, CallTools, Park
from engine.core.evolve import fold
from engine.core.messages import Message, Usage
from engine.journal.walk import walk
from engine.replaying.told import LONGEST_WAIT, paced, told
from engine.replaying.upcoming import upcoming, upcoming_alone
from engine.runtime.draft import Draft
from tests.clock import Jumping
from tests.logs.copies import STORE, lines_of, shop, write_log, written
from tests.runtime.test_engine import LOOK, OK, PAY, calls, engine
from tests.spec import NOON, STARTED, WORKFLOW, asks, look, pay

JOURNALS = Path(__file__).parent / "journals"
KEY = "k1:0123456789abcdef"


async def entries(run_id: str = "done") -> Sequence[Entry]:
    await write_log()
    async with Engine(store=STORE, workflows=[shop()]) as waystation:
        return await waystation.entries(run_id)


async def test_every_event_comes_with_the_run_after_it() -> None:
    stored = await entries()
    async with Engine(store=STORE) as waystation:
        journal, run = await waystation.journal("done"), await waystation.run("done")
    pairs = list(replay(stored))
    assert tuple(recorded for recorded, _ in pairs) == journal
    assert [after for _, after in pairs] == [
        fold(journal[:place]) for place in range(1, len(journal) + 1)
    ]
    assert pairs[-1][1] == run
    assert list(replay(())) == []


async def test_the_first_that_does_not_hold_is_named_after_those_before_it() -> None:
    stored = list(await entries())
    for place, one in enumerate(stored):
        bad = {
            "data": one._replace(data=one.data.replace(b"{", b'{"v":1,', 1)),
            "time": one._replace(at=one.at + 1),
            "kind": one._replace(kind="tools_settled"),
            "digest": one._replace(digest=bytes(32)),
        }
        for what, entry in bad.items():
            if entry == one:
                continue
            _breaks_at(place + 1, [*stored[:place], entry, *stored[place + 1 :]], what)
    for place in range(len(stored) - 1):
        _breaks_at(place + 1, [*stored[:place], *stored[place + 1 :]], "dropped")
        swapped = [*stored[:place], stored[place + 1], stored[place], *stored[place + 2 :]]
        _breaks_at(place + 1, swapped, "swapped")
        _breaks_at(place + 2, [*stored[: place + 1], *stored[place:]], "doubled")


def _breaks_at(seq: int, broken: Sequence[Entry], what: str) -> None:
    seen: list[int] = []
    with pytest.raises(CorruptRunError, match=rf"damaged at seq {seq}:"):
        seen.extend(recorded.seq for recorded, _ in replay(broken))
    assert seen == [*range(1, seq)], what


def test_a_transition_that_the_machine_does_not_have_is_named_though_its_digest_holds() -> None:
    draft = Draft()
    draft.record((STARTED,), NOON)
    forged = Draft()
    forged.record((STARTED, asks(("look", "{}"))), NOON)
    settled = forged.staged[1]._replace(kind="tools_settled", data=b"{}")
    place = Place("r1", 2, settled.at, settled.kind)
    settled = settled._replace(digest=chain(draft.digest, place, settled.data))
    with pytest.raises(CorruptRunError, match="damaged at seq 2: .*tools_settled"):
        list(replay([*draft.staged, settled]))


async def test_a_journal_under_a_key_is_verified_with_it_only() -> None:
    async with Engine(store=STORE, workflows=[shop()], audit_key=KEY) as waystation:
        await waystation.start("shop", "Pay", run_id="r1")
        stored = await waystation.entries("r1")
    assert [after.seq for _, after in replay(stored, KEY)] == [*range(1, len(stored) + 1)]
    assert list(replay(stored, read_keys(KEY))) == list(replay(stored, KEY))
    with pytest.raises(UnverifiedRunError, match="at seq 1: .* 'k1', which is missing"):
        list(replay(stored))
    with pytest.raises(CorruptRunError, match="damaged at seq 1"):
        list(replay(stored, "k1:fedcba9876543210"))


@pytest.mark.parametrize("version", sorted(one.name for one in JOURNALS.iterdir()))
async def test_every_logged_run_of_any_version_replays_to_where_its_store_has_it(
    version: str,
) -> None:
    shutil.copy(JOURNALS / version / "runs.db", "runs.db")
    tally, count = Tally(), 0
    async with Engine(store=STORE) as waystation:
        for logged in logged_runs([JOURNALS / version / "runs.jsonl"], tally):
            *_, (_, run) = replay(logged.entries)
            kept, entries = await waystation.run(logged.run_id), logged.entries
            assert (run.id, run.state, run.seq) == (kept.id, kept.state, kept.seq)
            if (
                tuple(await waystation.entries(run.id)) == entries
            ):  # else something is masked in the log
                assert run == kept
            else:
                assert any(one.cover for one in entries)
            count += run.seq
    assert tally.lines >= count > 60  # lines may repeat
    assert tally.damaged == []


async def test_what_is_damaged_in_a_log_is_told_after_what_holds() -> None:
    lines = lines_of(await write_log())
    other = b"GET / 200\n"
    tally = Tally()
    torn = written(b"".join([other, *lines[:6], lines[6][:-30], other]))
    (logged,) = logged_runs([torn], tally)
    assert (tally.lines, tally.foreign) == (6, 1)
    steps: list[int] = []
    with pytest.raises(CorruptRunError, match="run done: a line of it is damaged"):
        steps.extend(step.entry.seq for step in logged.steps())
    assert steps == [1, 2, 3, 4, 5, 6]
    assert logged.fault


def test_the_front_door_s_replay_is_the_function_whatever_was_imported_first() -> None:
    importlib.import_module("engine.replaying.told")
    assert sys.modules["engine"].replay is replay
    assert sys.modules["engine"].events is events


def _reply(**more: object) -> events.ModelAnswered:
    message = Message(role="assistant", content="ok")
    return events.ModelAnswered.model_validate({"message": message, **more})


def _told(*at: tuple[events.Event, datetime]) -> list[tuple[float, Decimal | None]]:
    draft = Draft()
    for event, when in at:
        draft.record((event,), when)
    steps = walk(draft.staged, "r1")
    return [(one.elapsed.total_seconds(), one.cost) for one in told(steps)]


def test_the_time_since_the_start_and_the_cost_so_far_are_told() -> None:
    usage, sent = Usage(input_tokens=1000, output_tokens=100), events.MessageReceived(message="?")
    priced = _reply(model="gpt-5-mini", usage=usage)
    soon = NOON + timedelta(seconds=90)
    (began, first), (later, known), _, (_, more), *_, (_, lost) = _told(
        (STARTED, NOON),
        (priced, soon),
        (sent, soon),
        (priced, soon),
        (sent, soon),
        (_reply(model="gpt-5-mini"), NOON),  # it was not told how many tokens it took
    )
    assert (began, first, later) == (0.0, Decimal(), 90.0)
    assert known is not None
    assert known > 0
    assert more == 2 * known
    assert lost is None


class Counting(Jumping):
    """A clock that is asked to sleep, and does not."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_the_pace_is_that_of_the_record_times_a_factor_and_no_wait_is_long() -> None:
    times = [0.0, 1.0, 1.0, 0.5, 3.5, 100.0]
    draft = Draft()
    for place, seconds in enumerate(times):
        event = events.MessageReceived(message="?") if place else STARTED
        draft.record((event,), NOON + timedelta(seconds=seconds))
    for factor, waits in ((1, [1.0, 3.0, LONGEST_WAIT]), (2, [0.5, 1.5, LONGEST_WAIT])):
        clock, steps = Counting(), told(walk(draft.staged, "r1"))
        seen = [one.step.entry.seq async for one in paced(steps, factor, clock)]
        assert seen == [1, 2, 3, 4, 5, 6]
        assert clock.slept == waits
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(BadInputError, match="a factor above 0"):
            await anext(paced(iter(()), bad, Counting()))


class Keeping(ScriptedModel):
    """A model that keeps what it was sent."""

    def __init__(self, *replies: Any) -> None:
        super().__init__(replies)
        self.sent: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.sent.append(request)
        return await super().complete(request)


async def test_what_the_model_would_be_sent_next_is_what_it_was_sent() -> None:
    model = Keeping(calls(LOOK), calls(PAY, LOOK), OK)
    workflow = Workflow(name="shop", instructions="Help.", tools=WORKFLOW.tools)
    async with Engine(store=STORE, workflows=[workflow], model=model) as waystation:
        await waystation.start("shop", "Hello", run_id="r1")
        await waystation.send("r1", "Hurry")
        await waystation.approve("r1", by="ann")
        stored = await waystation.entries("r1")
    pairs, asked = list(replay(stored)), 0
    for (recorded, run), (following, _) in pairwise(pairs):
        next_up = upcoming(run, workflow, recorded.at)
        _agrees_with_what_came(next_up.effect, following.event)
        if isinstance(next_up.effect, CallModel):
            request = model.sent[next_up.effect.turn - 1]
            assert next_up.run.messages == request.messages
            alone = upcoming_alone(run)
            assert alone is not None
            assert (alone.effect, alone.run.messages) == (next_up.effect, request.messages)
            asked += 1
    assert asked >= len(model.sent) == 3
    ended = pairs[-1][1]
    assert ended.state is State.Done
    assert upcoming(ended, workflow, NOON).effect == Park()


def _agrees_with_what_came(effect: object, came: events.Event) -> None:
    if isinstance(came, events.ToolStarted):
        assert isinstance(effect, CallTools)
    if isinstance(came, events.ToolsRequested | events.ModelAnswered):
        assert isinstance(effect, CallModel)
    if isinstance(came, events.ApprovalGranted):
        assert isinstance(effect, Park)


def _run(*said: events.Event) -> Run:
    draft = Draft()
    draft.record((STARTED, *said), NOON)
    return draft.live


def test_what_comes_next_is_decided_and_nothing_is_done() -> None:
    shop = Workflow(name="shop", instructions="Help.", tools=(look, pay))
    waits = upcoming(_run(asks(("pay", '{"order": "1"}'))), shop, NOON)
    assert [one.kind for one in waits.records] == ["approval_requested"]
    assert (waits.effect, waits.run.state) == (Park(), State.AwaitingApproval)
    other = Workflow(name="shop", instructions="Other.", tools=(look, pay))
    changed = upcoming(_run(), other, NOON)
    assert [one.kind for one in changed.records] == ["workflow_changed"]
    assert changed.effect == CallModel(turn=1, attempt=1)
    failed = events.ModelFailed(error="x", attempt=1, retry_at=NOON + timedelta(seconds=9))
    assert upcoming(_run(failed), shop, NOON).effect == Park(until=failed.retry_at)


def test_from_the_run_alone_open_calls_are_for_its_workflow_to_judge() -> None:
    assert upcoming_alone(_run(asks(("look", "{}")))) is None
    settled = upcoming_alone(
        _run(asks(("look", "{}")), events.ToolFailed(call_id="call_1_1", error="no"))
    )
    assert settled is not None
    assert settled.effect == CallModel(turn=2, attempt=1)
    assert settled.run.messages[-1].content == "no"


def test_what_is_no_journal_is_refused_at_its_first_event() -> None:
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    bad = Entry(1, at, "tools_settled", b"{}", bytes(32))
    for entry in (bad, bad._replace(kind="gone"), bad._replace(kind="run_started", data=b"[")):
        with pytest.raises(CorruptRunError, match="at seq 1"):
            list(replay([entry]))


async def test_replaying_a_run_in_a_store_changes_nothing_of_it() -> None:
    async with engine(calls(PAY), OK, log="log.jsonl") as waystation:
        parked = await waystation.start("shop", "Hello", run_id="r1")
        before = await waystation.entries("r1")
        assert [after for _, after in replay(before)][-1] == parked
        assert await waystation.entries("r1") == before
        assert (await waystation.approve("r1", by="ann")).state is State.Done
