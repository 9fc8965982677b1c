"""Tools in processes of their own: what comes back, and that nothing of them is left."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Limits, Run, ScriptedModel, State, Tool, Workflow, events, tool
from engine.errors import DefinitionError
from tests.clock import Jumping
from tests.runtime.kennel import KENNEL, BusyError, fail, family, plain
from tests.runtime.test_engine import OK, SQLITE, calls


def kennel(*asked: tuple[str, dict[str, Any]], workflow: Workflow = KENNEL) -> Engine:
    model = ScriptedModel([calls(*asked), OK])
    return Engine(store=SQLITE, workflows=[workflow], model=model, clock=Jumping())


async def drive(
    *asked: tuple[str, dict[str, Any]], workflow: Workflow = KENNEL
) -> tuple[Run, list[events.Event]]:
    async with kennel(*asked, workflow=workflow) as waystation:
        run = await waystation.start("kennel", "Hello", run_id="r1")
        return run, [one.event for one in await waystation.journal("r1")]


def results(run: Run) -> list[str | None]:
    return [one.content for one in run.messages if one.role == "tool"]


def until_written(path: str) -> list[int]:
    """The process ids in a file, once they are there."""
    until = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < until, "it was never written"
        time.sleep(0.01)
    return [int(one) for one in Path(path).read_text().split()]


def told() -> list[str]:
    return Path("told.txt").read_text().split()[:2]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def until_dead(pids: list[int]) -> None:
    until = time.monotonic() + 60
    while any(map(is_alive, pids)):
        assert time.monotonic() < until, "they live on"
        time.sleep(0.01)


async def test_arguments_secrets_and_the_context_go_there_and_results_come_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run, _ = await drive(
        ("receipt", {"day": "2026-01-02", "pin": "4711-0815"}),
        ("later", {"word": "héllo"}),
        ("renamed", {"word": "on", "day": "2026-01-02"}),
        ("explicit", {"a": 1}),
    )
    assert results(run) == [
        '{"number":1,"day":"2026-01-02"}',
        "héllo",
        "on 02.01.",
        '{"a":1}',
    ]
    assert "nobody reads this" not in "".join(capfd.readouterr())
    pid, call_id = told()
    assert (int(pid) != os.getpid(), call_id) == (True, "call_1_1")


async def test_what_it_raises_comes_back_as_words_and_what_they_mean() -> None:
    run, _ = await drive(*(("fail", {"how": how}) for how in ("value", "system", "bytes", "huge")))
    value, system, picture, huge = results(run)
    assert value == "ValueError: no such \x1b[31mthing"
    assert system == "SystemExit: bye"
    assert picture is not None
    assert "a tool returns text or JSON values, not bytes or images (bytes)" in picture
    assert huge is not None
    assert huge.startswith("ValueError: xxx")
    assert huge.endswith(" more characters]")
    assert len(huge) < 5000


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("doubt", "ConnectionResetError: peer; "),
        ("exit", "its process ended without an answer (status 3); "),
        ("kill", "its process ended without an answer (status 9); "),
    ],
)
async def test_what_broke_off_there_is_in_doubt(how: str, reason: str) -> None:
    run, journal = await drive(("fail", {"how": how}))
    (approval,) = run.approvals
    assert (approval.kind, (approval.reason or "").startswith(reason)) == ("in_doubt", True)
    assert [one.kind for one in journal][-2:] == ["tool_interrupted", "approval_requested"]


async def test_a_tool_is_known_for_one_there_and_decides_for_no_person() -> None:
    run, _ = await drive(("sneak", {}))
    assert results(run) == ["NotAllowedError: the tool sneak may not decide for a person"]


async def test_what_did_nothing_there_is_tried_again() -> None:
    run, journal = await drive(("fail", {"how": "nothing"}))
    kinds = [one.kind for one in journal]
    assert kinds.count("tool_not_executed") == 5
    assert results(run) == ["Not executed, after 5 attempts: the bank is closed"]


async def test_an_error_is_known_there_by_its_class_and_is_tried_again() -> None:
    again = replace(fail, idempotent=True, transient=(BusyError,), max_attempts=2)
    workflow = Workflow(name="kennel", instructions="Help.", tools=(again,))
    run, journal = await drive(("fail", {"how": "busy"}), workflow=workflow)
    kinds = [one.kind for one in journal if one.kind.startswith("tool_")]
    assert kinds == ["tool_started", "tool_interrupted", "tool_started", "tool_failed"]
    assert results(run) == ["BusyError: later"]


async def test_a_result_of_100_mb_is_bounded_in_the_journal_and_before_the_model() -> None:
    run, journal = await drive(("fail", {"how": "return"}))
    (returned,) = [one for one in journal if isinstance(one, events.ToolReturned)]
    assert len(returned.content) <= 2_000_000
    assert returned.content.endswith("[The last 98,000,100 characters were not kept.]")
    (shown,) = results(run)
    assert shown is not None
    assert len(shown) < 20_200
    assert shown.endswith(f"[Cut: 20,000 of {len(returned.content):,} characters are shown.]")


async def test_at_its_timeout_it_is_killed_with_all_that_it_began() -> None:
    soon = replace(family, timeout=5.0, idempotent=False)
    workflow = Workflow(name="kennel", instructions="Help.", tools=(soon,))
    run, journal = await drive(("family", {"seconds": 600}), workflow=workflow)
    pids = until_written("family.txt")
    assert len(pids) == 4
    assert not any(map(is_alive, pids)), "they are dead before anything is recorded"
    (interrupted,) = [one for one in journal if isinstance(one, events.ToolInterrupted)]
    assert interrupted.error == "TimeoutError: no result within 5 s; its process was killed"
    assert [approval.kind for approval in run.approvals] == ["in_doubt"]


async def test_what_it_began_does_not_outlive_its_return() -> None:
    run, _ = await drive(("family", {"seconds": 0}))
    (pids,) = results(run)
    assert pids is not None
    assert not any(is_alive(int(pid)) for pid in pids.split())


async def test_it_is_killed_when_its_driver_is_cancelled() -> None:
    async with kennel(("family", {"seconds": 600})) as waystation:
        driving = asyncio.create_task(waystation.start("kennel", "Hello", run_id="r1"))
        pids = await asyncio.to_thread(until_written, "family.txt")
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        assert not any(map(is_alive, pids))
        assert [call.status for call in (await waystation.run("r1")).calls] == ["started"]


async def test_it_is_killed_when_its_run_is_aborted() -> None:
    async with kennel(("family", {"seconds": 600})) as waystation:
        driving = asyncio.create_task(waystation.start("kennel", "Hello", run_id="r1"))
        pids = await asyncio.to_thread(until_written, "family.txt")
        await waystation.abort("r1", by="ann")
        run = await driving
        assert not any(map(is_alive, pids))
        assert run.state is State.Aborted
        last = (await waystation.journal("r1"))[-1].event
    assert isinstance(last, events.ToolInterrupted)
    assert last.error == "its process was killed, as the run was given up"


def _within() -> Tool:
    def inner() -> str:
        """Be found by nobody."""
        return ""

    return tool(isolation="process")(inner)


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (_within, "isolation=.process. needs a function at the top of a module"),
        (lambda: tool(name="x", isolation="process")(lambda: ""), "no lambda"),
        (lambda: tool(isolation="rocket")(plain), "isolation is .thread. or .process."),  # type: ignore[call-overload] # the point of it
        (
            lambda: replace(family, transactional=True, idempotent=False),
            "a transactional tool",
        ),
    ],
)
def test_what_could_not_run_there_is_refused_where_it_is_declared(declare: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        declare()


async def test_a_function_that_is_not_where_it_says_is_refused_before_anything_starts() -> None:
    def other() -> str:
        """Pass for another one."""
        return ""

    other.__module__, other.__qualname__ = "tests.runtime.kennel", "plain"
    odd = tool(name="odd", isolation="process")(other)
    workflow = Workflow(name="kennel", instructions="Help.", tools=(odd,), limits=Limits())
    async with kennel(workflow=workflow) as waystation:
        with pytest.raises(DefinitionError, match="kennel.plain is something else"):
            await waystation.start("kennel", "Hello")
        assert not await waystation.runs()
