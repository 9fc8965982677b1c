"""`waystation replay`: a recorded run, as it is walked in a terminal and in a pipe."""

import asyncio
import json
import os
import pty
import select
import subprocess
import sys
import termios
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, events
from engine.cli.options import Settings
from engine.cli.recorded import steps_of
from engine.cli.replaying import walk_paced
from engine.codec.chain import PLAIN
from engine.journal.lines import fields_of
from engine.replaying.told import Told, told
from engine.runtime.draft import Draft
from tests.cli.desk import APPROVERS, WORKFLOWS, begin, waystation
from tests.replay.test_replay import Counting
from tests.runtime.test_engine import SQLITE
from tests.spec import NOON, STARTED, asks

LOG = Path("runs.jsonl")


@pytest.fixture(autouse=True)
def _a_run_that_waits() -> None:
    Path("approvers.toml").write_text(APPROVERS)
    begin(log=LOG)


def decide() -> None:
    """Somebody approves, with a note; the others' questions stay open."""

    async def approve() -> None:
        async with Engine(
            store=SQLITE, workflows=WORKFLOWS, log=LOG, approvers="approvers.toml"
        ) as engine:
            await engine.approve("r1", "call_1_1", by="ann", note="half\x1b[2J of it")

    asyncio.run(approve())


def moment(at: int, *words: str) -> Any:  # JSON
    result = waystation("replay", "r1", "--at", str(at), "--json", *words)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_step_is_a_line_with_the_approval_and_its_verdict_below() -> None:
    decide()
    result = waystation("replay", "r1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    steps = [line for line in lines if line[:2] == "20"]
    assert "r1   1  run_started        [*] -> AwaitingModel  Hello" in steps[0]
    assert "+0.000 s         0 USD" in steps[0]
    assert all("unknown" in line for line in steps[1:])  # a scripted model has no price
    asked = lines.index("    tool call: pay (call_1_1), with exactly:")
    assert lines[asked + 1 : asked + 3] == ["        amount: 60.0", '        order: "o1"']
    digest = lines[asked + 3].removeprefix("    digest ")
    assert len(digest) == 64
    assert "    it takes: role staff" in lines
    assert f"    granted by ann, digest {digest}" in lines
    assert "    note: half\\u001b[2J of it" in lines
    assert "    question: ask_person (call_1_3), with exactly:" in lines
    assert waystation("replay", "runs.jsonl").stdout == result.stdout


def test_json_is_one_line_a_step() -> None:
    steps = [json.loads(line) for line in waystation("replay", "r1", "--json").stdout.splitlines()]
    logged = [json.loads(line) for line in LOG.read_text().splitlines()]
    assert [one["seq"] for one in steps] == [*range(1, len(steps) + 1)]
    for step, line in zip(steps, logged, strict=True):
        assert {name: step[name] for name in line if name != "event"} == {
            name: value for name, value in line.items() if name != "event"
        }
        assert step["elapsed"] >= 0
    assert Decimal(steps[0]["cost"]) == 0
    assert steps[-1]["cost"] is None


def test_a_moment_is_the_exact_state_and_what_the_model_would_be_sent() -> None:
    decide()
    begun = moment(1)
    assert begun["run"]["state"] == "AwaitingModel"
    assert (begun["next"]["effect"], begun["next"]["turn"]) == ("CallModel", 1)
    assert begun["next"]["messages"] == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Hello"},
    ]
    assert begun["next"]["tools"] == ["pay", "note", "ask_person"]
    asked = moment(2)
    assert [call["status"] for call in asked["run"]["calls"]] == ["requested"] * 3
    assert asked["next"]["records"] == ["approval_requested"] * 2
    assert asked["next"]["effect"] == "CallTools"
    alone = moment(1, "--app", "tests.cli.test_replaying:NO_WORKFLOWS")
    assert (alone["next"]["messages"], alone["next"]["tools"]) == (begun["next"]["messages"], None)
    assert moment(2, "--app", "tests.cli.test_replaying:NO_WORKFLOWS")["next"] is None


NO_WORKFLOWS: list[object] = []


def test_a_moment_is_told_in_words() -> None:
    first = waystation("replay", "r1", "--at", "1").stdout
    assert "Run r1 (desk) after seq 1" in first
    assert "  The model is asked for turn 1, attempt 1, with these messages:" in first
    assert "    system: Help.\n    user: Hello\n  tools: pay, note, ask_person\n" in first
    second = waystation("replay", "r1", "--at", "2").stdout
    assert 'Call call_1_1 (pay): requested\n    asked for with: {"order": "o1"' in second
    assert "  approval_requested would be recorded: pay call_1_1\n" in second
    assert "  The model is not asked: tools start: note (call_1_2)\n" in second
    last = len(LOG.read_text().splitlines())
    waits = waystation("replay", "r1", "--at", str(last)).stdout
    assert "pay wants to run with:\n    amount: 60.0\n" in waits
    assert "The model is not asked: the run waits for people" in waits
    assert "allow:" not in waits  # it is long gone
    elsewhere = waystation("replay", "r1", "--at", "2", "--app", "no.such:APP")
    assert elsewhere.exit_code == 0
    assert "the app 'no.such:APP' cannot be loaded" in elsewhere.stderr
    assert "the workflow would judge the open calls" in elsewhere.stdout


@pytest.mark.parametrize("seq", ["0", "99", "-1"])
def test_a_moment_that_never_was_is_refused(seq: str) -> None:
    result = waystation("replay", "r1", "--at", seq)
    assert f"there is no event {seq}; the run has 1 to" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("r9",), "there is no log r9, and there is no run 'r9' in this store"),
        (("r1", "--run", "r1"), "--run goes with a log, and there is no file 'r1'"),
        (("runs.jsonl", "--run", "r9"), "the log runs.jsonl has no run 'r9'; it has: r1"),
        (("empty.jsonl",), "the log empty.jsonl tells of no run"),
        (("r1", "--step"), "--step reads keys from a terminal"),
        (("r1", "--step", "--json"), "--step prints no --json"),
        (("r1", "--pace", "2", "--at", "1"), "take one of --step, --pace and --at"),
        (("r1", "--pace", "0"), "the pace is a factor above 0"),
        (("r1", "--pace", "nan"), "the pace is a factor above 0"),
    ],
)
def test_what_cannot_be_walked_is_refused_in_a_line(words: tuple[str, ...], told: str) -> None:
    Path("empty.jsonl").write_text("GET /\n")
    result = waystation("replay", *words)
    assert told in f"{result.exception}{result.output}"
    assert result.stdout.count("\n") <= 1


def test_a_log_of_several_runs_wants_to_know_which() -> None:
    begin("r2", log=LOG)
    result = waystation("replay", "runs.jsonl")
    assert "has several runs; say which with --run: r1, r2" in result.output
    one = waystation("replay", "runs.jsonl", "--run", "r2")
    assert one.exit_code == 0
    assert "  r2   1  run_started" in one.stdout
    assert "  r1 " not in one.stdout


def test_it_stops_at_the_first_event_that_does_not_hold() -> None:
    lines = LOG.read_text().splitlines()
    lines[2] = lines[2].replace('"at":"20', '"at":"19')
    LOG.write_text("\n".join(lines) + "\n")
    result = command("replay", "runs.jsonl")
    assert result.returncode == 1
    assert (result.stdout.count("\n"), result.stdout.count(" r1 ")) == (2, 2)
    assert result.stderr.startswith("waystation: run r1 is damaged at seq 3:")
    assert result.stderr.count("\n") == 1


EVIL = "\x1b[2J\u202e\r"


def test_what_a_log_says_is_shown_and_acts_on_no_terminal() -> None:
    asked = events.ApprovalRequested(
        approval_id=EVIL, call_id=EVIL, tool=EVIL, arguments={EVIL: EVIL}, digest=EVIL, reason=EVIL
    )
    wants = asks((EVIL, f'{{"a": "{EVIL}"}}')).message
    wants = wants.model_copy(update={"content": EVIL}).with_call_ids((EVIL,))
    denied = events.ApprovalDenied(
        approval_id=EVIL, call_id=EVIL, digest=EVIL, by=EVIL, reason=EVIL, note=EVIL
    )
    draft = Draft()
    born = STARTED.model_copy(update={"run_id": EVIL, "workflow": EVIL, "message": EVIL})
    draft.record((born, events.ToolsRequested(message=wants), asked, denied), NOON)
    lines = [{"event": "transition", **fields_of(line, PLAIN)} for line in draft.lines]
    Path("evil.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    for words in ((), ("--json",), *(("--at", str(seq)) for seq in (1, 2, 3, 4))):
        result = waystation("replay", "evil.jsonl", *words)
        assert result.exit_code == 0, result.exception
        assert not set(EVIL[:1] + EVIL[4:]) & set(result.stdout)
        assert "\\u001b[2J" in result.stdout


def test_what_is_secret_is_told_by_no_replay() -> None:
    secret = "sk-" + "proj-Abcdef0123456789abcdef0123456789"

    async def start() -> None:
        async with Engine(store=SQLITE, workflows=WORKFLOWS) as engine:
            await engine.start("desk", f"My key is {secret}", "r2")

    asyncio.run(start())
    for words in ((), ("--json",), ("--at", "1"), ("--at", "1", "--json")):
        result = waystation("replay", "r2", *words)
        assert result.exit_code == 0, result.exception
        assert secret not in result.stdout
        assert "My key is ***" in result.stdout


def test_the_pace_is_kept_by_the_clock() -> None:
    clock, shown = Counting(), list[Told]()
    settings = Settings(SQLITE, None, "no:app", json=False)
    steps = told(steps_of(settings, "r1", None))
    asyncio.run(walk_paced(steps, 0.5, clock, shown.append))
    span = shown[-1].elapsed.total_seconds()
    assert sum(clock.slept) == pytest.approx(min(span, 2.5) * 2)
    whole = waystation("replay", "r1").stdout
    assert waystation("replay", "r1", "--pace", "1e9").stdout == whole


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(_line(*words), capture_output=True, text=True, check=False, timeout=60)


def _line(*words: str) -> list[str]:
    code = "from engine.cli import main; main()"
    return [sys.executable, "-W", "error", "-c", code, *words, "--store", SQLITE]


@pytest.mark.parametrize(
    ("keys", "steps", "code"),
    [(b" Q", 2, 0), (b" \x03", 2, 130), (b"\x04", 1, 0)],
    ids=["q", "Ctrl-C", "Ctrl-D"],
)
def test_a_key_is_a_step_in_a_terminal(keys: bytes, steps: int, code: int) -> None:
    ours, theirs = pty.openpty()
    walking = subprocess.Popen(
        _line("replay", "r1", "--step"), stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
    )
    shown = b""
    for place in range(len(keys)):
        while walking.poll() is None and not (
            shown.count(b" r1 ") > place and _waits_for_a_key(theirs)
        ):
            if select.select([ours], [], [], 0.01)[0]:
                shown += os.read(ours, 65536)
        os.write(ours, keys[place : place + 1])
    _, said = walking.communicate(timeout=60)
    os.close(theirs)
    os.close(ours)
    assert (walking.returncode, shown.count(b" r1 ")) == (code, steps)
    hint, *rest = said.splitlines()
    assert hint == b"(any key: the next step; q: enough)"
    assert [line for line in rest if line] == ([b"waystation: interrupted"] if code else [])


def _waits_for_a_key(terminal: int) -> bool:
    """Whether it is set to give each key as it is pressed."""
    return not termios.tcgetattr(terminal)[3] & termios.ICANON
