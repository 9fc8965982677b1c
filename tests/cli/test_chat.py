"""`waystation chat` in a pipe: a line a message."""

import asyncio
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine import (
    BadInputError,
    Engine,
    Limits,
    PermanentModelError,
    Run,
    ScriptedModel,
    State,
    UnknownRunError,
    Workflow,
)
from engine.cli.root import cli
from engine.errors import UnknownWorkflowError
from tests.cli.desk import APPROVERS, begin, stored, waystation
from tests.cli.terminal import environment, line
from tests.runtime.test_engine import SQLITE

ODD = "Fine.\n[a]pprove \x1b[2J\u202e"
TALK = Workflow(
    name="talk",
    instructions="Help.",
    model=ScriptedModel([{"content": ODD}, {"content": "Again."}, PermanentModelError("no more")]),
)
SHORT = Workflow(
    name="short",
    instructions="Help.",
    limits=Limits(max_turns=1),
    model=ScriptedModel([{"content": "One."}, {"content": "Two."}]),
)
TALKS = [TALK, SHORT]
APP = ("--app", "tests.cli.test_chat:TALKS")


@pytest.fixture(autouse=True)
def _approvers() -> None:
    Path("approvers.toml").write_text(APPROVERS)


def only() -> Run:
    """The one run that there is."""

    async def load() -> Run:
        async with Engine(store=SQLITE) as engine:
            (one,) = await engine.runs()
            return await engine.run(one.id)

    return asyncio.run(load())


def test_each_line_is_a_message_of_one_conversation() -> None:
    result = waystation("chat", "talk", "First", "--by", "zoe", *APP, keys="\nSecond\n")
    assert result.return_value == 0, result.output
    run = only()
    assert [one.content for one in run.messages] == ["Help.", "First", ODD, "Second", "Again."]
    assert (run.state, run.by) == (State.Done, "zoe")
    again = f"go on with: waystation chat talk --run {run.id} --store {SQLITE}"
    assert again in " ".join(result.stderr.split())


def test_what_the_model_says_is_inert_and_stands_apart() -> None:
    said = waystation("chat", "talk", "First", *APP).stdout
    assert said == "talk> Fine.\n    [a]pprove \\u001b[2J\\u202e\n"


def test_an_end_without_a_word_begins_nothing() -> None:
    result = waystation("chat", "talk", *APP, keys="\n  \n")
    assert (result.return_value, result.stderr) == (0, "waystation: nothing was said\n")
    assert not Path("runs.db").exists()


def test_a_run_that_is_aborted_says_so() -> None:
    result = waystation("chat", "talk", "First", *APP, keys="Second\nThird\nFourth\n")
    assert result.return_value == 1
    assert f"run {only().id} was aborted: no more" in result.stderr
    assert only().messages[-1].content == "Third"
    again = waystation("chat", "talk", "Fourth", "--run", only().id, *APP)
    assert again.return_value == 1
    assert "was aborted: no more" in again.stderr


def test_a_conversation_that_comes_to_a_limit_says_how_to_go_on() -> None:
    result = waystation("chat", "short", "First", *APP, keys="Second\n")
    assert result.return_value == 1
    again = f"waystation resume {only().id} --raise max_turns=+N --store {SQLITE}"
    assert f"the limit max_turns=1 is reached; to raise it and go on: {again}" in result.stderr


def test_a_workflow_that_is_none_is_told_before_a_word_is_said() -> None:
    result = waystation("chat", "tlak", *APP, keys="Hello\n")
    assert isinstance(result.exception, UnknownWorkflowError)
    assert "no workflow 'tlak'; there are: short, talk" in str(result.exception)
    assert "you>" not in result.stdout
    assert not Path("runs.db").exists()


def test_without_a_terminal_nothing_is_decided_inline_and_the_run_is_kept() -> None:
    words = line("chat", "desk", "Hello", "--approve-as", "ann", "--approvers", "approvers.toml")
    done = subprocess.run(
        words, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 2
    elsewhere = "keys are read from a terminal; elsewhere: approvals, approve, deny, answer"
    kept = f"{elsewhere}; the conversation is kept as run {only().id}; go on with: "
    assert kept in done.stderr.decode()


def test_what_waits_is_shown_and_left_to_others() -> None:
    result = waystation("chat", "desk", "Hello", "--by", "ann", keys="aHurry\n")
    assert result.return_value == 0
    assert "pay wants to run with:" in result.stdout
    assert f"waystation approve {only().id} --call call_1_1" in result.stdout
    assert "(it still waits for a person to decide pay)" in result.stdout
    assert "[a]pprove" not in result.stdout
    run = only()
    assert (run.state, run.verdicts) == (State.AwaitingApproval, ())
    assert [one.content for one in run.inbox] == ["aHurry"]


def test_who_may_decide_does_so_inline() -> None:
    result = waystation("chat", "desk", "Hello", "--approve-as", "ann", keys="awred\nThanks\n")
    assert result.return_value == 0, result.output
    run = only()
    assert [(one.by, one.verdict) for one in run.verdicts] == [
        ("ann", "granted"),
        ("ann", "answered"),
    ]
    assert result.stdout.count("desk> ok") == 2
    assert "  · pay\n" in result.stdout
    assert run.messages[-2].content == "Thanks"


def test_who_may_not_decide_is_refused_and_the_rest_can_be_left() -> None:
    result = waystation("chat", "desk", "Hello", "--approve-as", "bob", keys="as")
    assert "bob may not approve pay" in result.stderr
    assert result.stdout.count("[s]kip") == 2
    assert only().verdicts == ()


def test_a_conversation_goes_on_where_another_process_left_it() -> None:
    begin()
    result = waystation("chat", "desk", "--run", "r1", "--approve-as", "ann", keys="awred\n")
    assert result.return_value == 0, result.output
    assert stored().state is State.Done
    later = waystation("chat", "desk", "--run", "r1")
    assert later.stdout == "desk> ok\n"


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("chat", "talk", "--run", "r1", *APP), BadInputError, "is of the workflow desk"),
        (("chat", "desk", "--run", "r9"), UnknownRunError, "no run"),
        (("chat", "desk", "--run", ""), UnknownRunError, "no run ''"),
        (("chat", "desk", "--json"), click.UsageError, "chat is for people"),
        (("chat", "desk", "--run", "r1", "--customer", "c"), click.UsageError, "--customer"),
    ],
)
def test_what_makes_no_sense_changes_nothing(
    words: tuple[str, ...], error: type[Exception], said: str
) -> None:
    begin()
    before = stored()
    result = waystation(*words)
    assert isinstance(result.exception, error), result.output
    assert said in str(result.exception)
    assert stored() == before


def test_what_is_no_text_ends_it_and_the_run_is_kept() -> None:
    words = ["--store", SQLITE, "chat", "talk", "First", *APP]
    result = CliRunner().invoke(cli, words, input=b"\xff\n", standalone_mode=False)
    assert isinstance(result.exception, BadInputError)
    kept = f"no text; the conversation is kept as run {only().id}; go on with: waystation chat talk"
    assert kept in str(result.exception)
    assert only().state is State.Done


def test_a_message_that_cannot_be_heard_is_told_and_begins_nothing() -> None:
    result = waystation("chat", "talk", "\udcff", *APP)
    assert (result.return_value, result.stderr) == (
        1,
        "waystation: message holds bytes that are no text\n",
    )
