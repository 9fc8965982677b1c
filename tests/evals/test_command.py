"""`waystation eval`, as a person or a build server runs it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from junitparser import JUnitXml

from engine import ScriptedModel, Workflow
from engine.cli import main
from tests.cli.test_command import as_json, refunds_made, waystation
from tests.evals.bench import PAYS, TOOLS, YES, Priced
from tests.house.test_house import ROOT

REFUNDS = str(files("workflows.refunds").joinpath("cases.yaml"))
HOSTILE = "\x1b[2J\u202e\x00\ufffe<b>&]]>[bold]"
WORKFLOWS = [
    Workflow(name="shop", instructions="Help.", tools=TOOLS, model=ScriptedModel(PAYS)),
    Workflow(name="sold", instructions="Help.", tools=TOOLS, model=Priced(PAYS)),
    Workflow(name="odd", instructions="Help.", model=ScriptedModel([{"content": "\x1b[2J\ufffe"}])),
]
APP = ("--app", "tests.evals.test_command:WORKFLOWS")
HERE = {"PYTHONPATH": str(ROOT)}


def write(*cases: dict[str, Any]) -> str:
    """A file of these cases."""
    path = Path("cases.jsonl")
    whole = [{"workflow": "shop", "message": "Hello", "approvals": [YES]} | one for one in cases]
    path.write_text("\n".join(json.dumps(one) for one in whole))
    return str(path)


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in this process."""

    def run(*words: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["waystation", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


GOOD, BAD = {"name": "good"}, {"name": "bad", "expect": {"max_turns": 1}}


def test_the_ready_cases_for_refunds_hold_of_the_offline_model() -> None:
    done = as_json("eval", REFUNDS)
    assert (done["runs"], done["passed"], done["success_rate"]) == (6, 6, 1.0)
    assert (done["cost"], done["tokens"]) == (None, 0)
    assert [tuple(one) for one in sorted(refunds_made())] == [("11223", 1999), ("24680", 5990)]
    assert [path.name for path in Path(".waystation").iterdir()] == ["shop.db"]


def test_the_ready_cases_for_refunds_fail_where_the_shop_is_another() -> None:
    assert waystation("eval", REFUNDS).returncode == 0
    again = waystation("eval", REFUNDS)  # what was refunded is not refunded again
    assert again.returncode == 1
    assert "4 of 6 runs passed (66.7%), 0 tokens, cost unknown, latency median " in again.stdout
    assert "approvals: expected issue_refund, got none" in again.stdout


def test_it_prints_a_table_and_what_failed(command: Command) -> None:
    done = command(*APP, "eval", write(GOOD, BAD))
    assert done.returncode == 1
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["good", "passed", "Done", "2", "3", "0", "unknown"] in [row[:7] for row in rows]
    assert ["bad", "FAILED", "Done", "2", "3", "0", "unknown"] in [row[:7] for row in rows]
    assert "  max_turns: expected at most 1, got 3\n" in done.stdout
    assert "1 of 2 runs passed (50.0%)" in done.stdout
    assert done.stderr == (
        "No OPENAI_API_KEY: the workflows' own models are in use.\n"
        "waystation: 1 of 2 runs passed, and 100% of them were to\n"
    )


def test_a_known_cost_is_shown_and_an_unknown_part_makes_the_whole_unknown(
    command: Command,
) -> None:
    sold = GOOD | {"workflow": "sold"}
    alone = command(*APP, "eval", write(sold))
    assert re.search(r"3000 tokens, cost 0\.00\d+ USD, latency", alone.stdout)
    both = command(*APP, "eval", write(sold, {"name": "other"}))
    assert "3000 tokens, cost unknown, latency" in both.stdout


@pytest.mark.parametrize(("least", "code"), [("0.5", 0), ("0.51", 1), ("0", 0), ("1", 1)])
def test_the_least_success_decides_the_exit_code(command: Command, least: str, code: int) -> None:
    done = command(*APP, "eval", write(GOOD, BAD), "--min-success", least)
    assert done.returncode == code


def test_json_and_junit_say_the_same(command: Command) -> None:
    twice = BAD | {"repeat": 2}
    done = command(*APP, "--json", "eval", write(GOOD, twice), "--junit", "out.xml")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [one["passed"] for one in said["results"]] == [True, False, False]
    assert said["results"][0]["calls"][1] == {
        "call_id": "call_2_1",
        "tool": "pay",
        "arguments": {"amount": 60.0, "order": "1"},
        "outcome": "returned",
    }
    (suite,) = JUnitXml.fromfile("out.xml")
    assert (suite.tests, suite.failures) == (3, 2)
    cases = list(suite)
    assert [one.name for one in cases] == ["good", "bad", "bad #2"]
    assert [len(one.result) for one in cases] == [0, 1, 1]
    assert cases[1].result[0].message == "max_turns: expected at most 1, got 3"


def test_hostile_text_reaches_neither_the_terminal_nor_the_xml(command: Command) -> None:
    expect = {"answer": {"contains": HOSTILE}}
    odd = {"name": HOSTILE, "workflow": "odd", "approvals": [], "expect": expect}
    done = command(*APP, "eval", write(odd), "--junit", "out.xml")
    assert done.returncode == 1
    assert not {"\x1b", "\u202e", "\x00", "\ufffe"} & set(done.stdout + done.stderr)
    assert "[bold]" in done.stdout
    ((case,),) = JUnitXml.fromfile("out.xml")
    assert "<b>&]]>[bold]" in case.name
    assert "[2J" in case.result[0].text


def test_runs_are_kept_only_where_the_command_line_says_so(command: Command) -> None:
    file = write(GOOD)
    elsewhere = {"WAYSTATION_STORE": "sqlite:///real.db", "WAYSTATION_LOG": "real.jsonl"}
    assert command(*APP, "eval", file, **elsewhere).returncode == 0
    assert [path.name for path in Path().glob("[!.]*")] == ["cases.jsonl"]
    assert not Path(".waystation").exists()
    for words in (("--store", "sqlite:///kept.db", "eval", file), ("eval", file, "--store")):
        place = [*words, "sqlite:///kept.db"] if words[-1] == "--store" else words
        assert command(*APP, *place, **elsewhere).returncode == 0
    kept = json.loads(command("list", "--json", "--store", "sqlite:///kept.db").stdout)
    assert [one["state"] for one in kept] == ["Done", "Done"]
    assert len(Path("kept.jsonl").read_text().splitlines()) == sum(one["seq"] for one in kept)
    assert command(*APP, "eval", file, "--log", "said.jsonl", **elsewhere).returncode == 0
    assert Path("said.jsonl").exists()
    assert not Path("real.db").exists()
    assert not Path("real.jsonl").exists()


LEDGER = """\
from engine import CommandNotifier, ScriptedModel, ToolContext, Workflow, tool

@tool(transactional=True)
def note(line: str, context: ToolContext) -> str:
    context.transaction.execute("CREATE TABLE IF NOT EXISTS notes (line TEXT)")
    return "noted"

CALL = {"name": "note", "arguments": '{"line": "a"}'}
CALLS = [{"id": "1", "type": "function", "function": CALL}]
MODEL = ScriptedModel([{"content": None, "tool_calls": CALLS}, {"content": "ok"}])
TELL = [CommandNotifier(["touch", "told"])]
WORKFLOWS = [
    Workflow(name="ledger", instructions="", tools=[note], model=MODEL, notifiers=TELL)
]
"""


def test_what_needs_transactions_has_them_and_nobody_is_notified() -> None:
    Path("ledger.py").write_text(LEDGER)
    yes = {"tool": "note", "verdict": "approve"}
    expect = {"calls": [{"tool": "note", "outcome": "returned"}], "approvals": ["note"]}
    file = write({"name": "a", "workflow": "ledger", "approvals": [yes], "expect": expect})
    done = waystation("--app", "ledger:WORKFLOWS", "eval", file)
    assert (done.returncode, "1 of 1 runs passed" in done.stdout) == (0, True), done.stdout
    assert not Path("told").exists()
    assert not Path(".waystation").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("missing.yaml",), 1, "waystation: missing.yaml: the cases cannot be read: No such file"),
        (("odd.yaml",), 1, "odd.yaml: case 'a': expcet: there is no such key; there are: name,"),
        (("odd.jsonl",), 1, "waystation: case 'a': workflow: there is no workflow 'nobody'"),
        (("--concurrency", "0", "cases.jsonl"), 2, "0 is not in the range x>=1"),
        (("--min-success", "90", "cases.jsonl"), 2, "90.0 is not in the range 0<=x<=1"),
        (("--junit", "none/out.xml", "cases.jsonl"), 2, "--junit: there is no folder none"),
        (("--junit", ".", "cases.jsonl"), 2, "is a directory"),
        (("--model", "x", "cases.jsonl"), 2, "--model needs OPENAI_API_KEY"),
        ((), 2, "Missing argument 'FILE'"),
    ],
)
def test_wrong_usage_is_one_line_and_runs_nothing(
    command: Command, words: tuple[str, ...], code: int, said: str
) -> None:
    write(GOOD)
    Path("odd.yaml").write_text("- {name: a, workflow: shop, message: hi, expcet: {}}")
    Path("odd.jsonl").write_text('{"name": "a", "workflow": "nobody", "message": "hi"}')
    done = command(*APP, "eval", *words, "--store", "sqlite:///kept.db")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("kept.db").exists()


MUTE = """\
import asyncio
from engine import Message, ModelReply, Workflow

class Mute:
    async def complete(self, request):
        if request.messages[-1].content == "Hello":
            return ModelReply(Message(role="assistant", content="ok"))
        print("asked", flush=True)
        await asyncio.Event().wait()

WORKFLOWS = [Workflow(name="shop", instructions="", model=Mute())]
"""
COMMAND = (sys.executable, "-W", "error", "-c", "from engine.cli import main; main()")


def test_ctrl_c_leaves_a_clear_line() -> None:
    Path("mute.py").write_text(MUTE)
    both = ({"name": "a", "approvals": []}, {"name": "b", "approvals": [], "message": "Wait"})
    file = write(*both)
    words = ("--app", "mute:WORKFLOWS", "eval", file, "--concurrency", "1", "--junit", "out.xml")
    with subprocess.Popen(
        (*COMMAND, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, "")
    assert said.splitlines()[1] == (
        "waystation: interrupted: 1 of 2 runs had ended; nothing was reported,"
        " say it again to begin anew"
    )
    assert len(said.splitlines()) == 2
    assert not Path("out.xml").exists()


def test_a_terminal_is_shown_how_far_it_is() -> None:
    file = write(GOOD, BAD)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        (*COMMAND, *APP, "--json", "eval", file),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, **HERE, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:  # it was closed at the other end
            os.close(ours)
        printed, _ = process.communicate(timeout=60)
    assert "2/2 runs, 1 failed" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert json.loads(printed)["passed"] == 1
