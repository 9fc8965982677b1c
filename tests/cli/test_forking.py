"""`waystation fork`: a new run from any point of an old one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine import Engine, Entry, events
from engine.core.run import Run
from tests.cli.desk import APPROVERS, begin, stored, waystation
from tests.runtime.test_engine import SQLITE


@pytest.fixture(autouse=True)
def _a_run_that_waits() -> None:
    Path("approvers.toml").write_text(APPROVERS)
    begin()


def entries(run_id: str = "r1") -> Sequence[Entry]:
    async def read() -> Sequence[Entry]:
        async with Engine(store=SQLITE) as engine:
            return await engine.entries(run_id)

    return asyncio.run(read())


def forked(run_id: str) -> events.RunForked:
    async def read() -> events.RunForked:
        async with Engine(store=SQLITE) as engine:
            journal = [one.event for one in await engine.journal(run_id)]
            return next(one for one in journal if isinstance(one, events.RunForked))

    return asyncio.run(read())


def fork(*words: str) -> Run:
    before = entries()
    result = waystation("fork", "r1", "--run-id", "r2", *words)
    assert result.exit_code == 0, f"{result.output}{result.exception}"
    assert entries() == before
    return stored("r2")


def test_a_plain_copy_asks_again_and_says_who_made_it() -> None:
    run = fork("--at", "2", "--by", "bob")
    assert [one.call_id for one in run.approvals] == ["call_1_1", "call_1_3"]
    off = forked("r2")
    assert (off.run_id, off.at_seq, off.by) == ("r1", 2, "bob")
    assert off.digest == entries()[1].digest.hex()


def test_the_calls_that_it_may_make_again_are_noted() -> None:
    result = waystation("fork", "r1", "--at", "2")
    assert "Note: run r1 made these calls, and the fork may make them again" in result.stderr
    assert "note (call_1_2) at seq" in result.stderr
    last = len(entries())
    assert "Note:" not in waystation("fork", "r1", "--at", str(last)).stderr


def test_a_message_is_what_the_customer_says_next() -> None:
    run = fork("--at", "1", "--message", "Never mind")
    assert [one.content for one in run.messages[:3]] == ["Help.", "Hello", "Never mind"]


def test_instructions_come_from_a_file() -> None:
    Path("new.md").write_text("Be kind.\n")
    assert fork("--at", "2", "--edit-instructions", "new.md").messages[0].content == "Be kind.\n"


def test_some_arguments_are_changed_and_the_others_stay() -> None:
    run = fork("--at", "2", "--arguments", "call_1_1", "amount=1")
    assert run.tool_call("call_1_1").function.arguments == '{"order":"o1","amount":1}'
    assert {one.call_id for one in run.approvals} == {"call_1_3"}  # so little goes unasked
    assert run.call("call_1_1").status == "settled"


def test_several_arguments_may_be_changed_at_once() -> None:
    words = ("amount=2", 'order="o9"', "--detach")
    run = fork("--at", "2", "--arguments", "call_1_1", *words)
    assert run.tool_call("call_1_1").function.arguments == '{"order":"o9","amount":2}'
    assert (run.state, run.seq) == ("DispatchingTools", 3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--at", "99"), "there is no event 99 to fork at"),
        (("--at", "2", "--run-id", "r1"), "another id than its own"),
        (("--at", "2", "--run-id", "a/b"), "no run id"),
        (("--at", "2", "--arguments", "call_1_1"), "goes with the changes: NAME=JSON"),
        (("--at", "2", "amount=1"), "--arguments CALL goes with"),
        (("--at", "2", "--arguments", "call_1_1", "amount"), "--arguments: 'amount' is not NAME"),
        (("--at", "2", "--arguments", "call_1_1", "amount=x"), "'amount=x' is not NAME=JSON"),
        (("--at", "2", "--arguments", "call_1_1", 'amount="x"'), "pay (call_1_1): amount"),
        (("--at", "2", "--arguments", "call_7", "a=1"), "no open call 'call_7'"),
        (("--at", "6", "--arguments", "call_1_2", "line=1"), "fork earlier, at seq"),
        (("--at", "2", "--message", "a", "--edit-instructions", "i.md"), "changes one thing"),
        (("--at", "2", "--edit-instructions", "gone.md"), "gone.md cannot be read: No such file"),
        (("--at", "2", "--edit-instructions", "bytes.md"), "cannot be read: it is no text"),
        (("--at", "2", "--message", " "), "the message is empty"),
        ((), "Missing option '--at'"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_makes_no_run(
    words: tuple[str, ...], told: str
) -> None:
    Path("i.md").write_text("Be kind.")
    Path("bytes.md").write_bytes(b"\xff\xfe\xff")
    before = entries()
    result = waystation("fork", "r1", *words)
    assert told in f"{result.exception}{result.output}"
    assert result.stdout.count("\n") <= 1
    assert entries() == before
    assert waystation("list").stdout.count("\n") == 1


def test_an_id_that_is_taken_and_a_run_that_is_not_there_are_refused() -> None:
    begin("r2")
    taken = waystation("fork", "r1", "--at", "2", "--run-id", "r2")
    assert "there is a run r2 already; it is AwaitingApproval" in str(taken.exception)
    missing = waystation("fork", "r9", "--at", "2")
    assert "there is no run 'r9'" in str(missing.exception)
