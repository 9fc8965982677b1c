"""What the model writes is seen as it comes: in a terminal, inert, and without secrets."""

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from engine import State
from tests.cli.desk import APPROVERS, stored
from tests.cli.terminal import Terminal, environment, line
from tests.cli.test_chat import only
from tests.models.server import completion, serving
from tests.models.sse import DONE, chunk, streamed, streaming

KEY = "sk-abcdefgh1234567890"


def texts(*pieces: str) -> list[bytes]:
    return [chunk({"content": piece}) for piece in pieces]


def test_a_terminal_shows_text_as_it_comes_inert_and_without_secrets() -> None:
    read = threading.Event()
    first = texts("It is ", "\x1b", "[31mred, \x9b", "2J the key ", KEY[:9])
    rest = texts(KEY[9:], " and ", "it is long.")
    with serving(streaming(*first, read, *rest, chunk({}, "stop"), DONE)) as server:
        known = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        with Terminal("start", "desk", "Hello", "--run-id", "r1", **known) as terminal:
            terminal.until("It is \\u001b[31mred, \\u009b2J the key ")
            assert "Answer:" not in terminal.shown
            read.set()
            terminal.until("Answer: It is \\u001b[31mred, \\u009b2J the key *** and it is long.")
            assert terminal.end() == 0
    assert "\x1b[31m" not in terminal.shown
    assert "sk-abc" not in terminal.shown
    assert "Traceback" not in terminal.shown
    assert server.requests[0]["stream"] is True
    assert stored().answer == f"It is \x1b[31mred, \x9b2J the key {KEY} and it is long."


def test_that_no_model_is_asked_is_said_above_the_live_line() -> None:
    app = "tests.cli.hesitant:WORKFLOWS"
    with Terminal("start", "hesitant", "Hello", "--run-id", "r1", app=app) as terminal:
        terminal.until("starting · turn 0")
        terminal.type("\n")
        terminal.until("No OPENAI_API_KEY")
        assert terminal.shown.partition("No OPENAI_API_KEY")[0].endswith("\x1b[2K")
        assert terminal.end() == 0


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_pipe_gets_whole_answers_only(more: tuple[str, ...]) -> None:
    with serving(completion({"content": "All done."}), streams=streamed) as server:
        known = environment(OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-test")
        words = line("start", "desk", "Hello", "--run-id", "r1", *more)
        done = subprocess.run(words, env=known, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "stream" not in server.requests[0]
    if more:
        assert json.loads(done.stdout)["answer"] == "All done."


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_conversation_that_ends_amid_a_reply_goes_on(how: signal.Signals) -> None:
    never = threading.Event()
    held = streaming(*texts("So far ", "it"), never, chunk({}, "stop"), DONE)
    with serving(
        held, streaming(*texts("All ", "is ", "well."), chunk({}, "stop"), DONE)
    ) as server:
        known = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        with Terminal("chat", "desk", **known) as terminal:
            terminal.until("you> ")
            terminal.type("Hello\n")
            terminal.until("So far ")
            terminal.process.send_signal(how)
            if how is signal.SIGINT:
                terminal.until("waystation: interrupted; run ")
                terminal.until(" is kept as it was last stored; go on with: waystation chat desk")
            assert terminal.end() == (130 if how is signal.SIGINT else -how)
        never.set()
        run_id = only().id
        assert (stored(run_id).state, stored(run_id).seq) == (State.AwaitingModel, 1)
        with Terminal("chat", "desk", "--run", run_id, **known) as terminal:
            terminal.until("desk> All is well.")
            terminal.until("you> ")
            terminal.type("\x04")
            terminal.until(f"the conversation is kept as run {run_id}; go on with: ")
            assert terminal.end() == 0
    assert stored(run_id).answer == "All is well."


def test_an_approval_is_decided_in_the_conversation_by_a_key() -> None:
    Path("approvers.toml").write_text(APPROVERS)
    words = ("chat", "desk", "Hello", "--approve-as", "ann", "--approvers", "approvers.toml")
    with Terminal(*words, "--by", "zoe") as terminal:
        terminal.until("pay wants to run with:")
        terminal.until("[q]uit: ")
        terminal.press("a")
        terminal.until("· pay")
        terminal.until("[w]rite the answer")
        terminal.press("w")
        terminal.until("the answer: ")
        terminal.type("red\n")
        terminal.until("desk> ok")
        terminal.until("you> ")
        terminal.type("And now?\n")
        terminal.until("desk> ok")
        terminal.until("you> ")
        terminal.interrupt()
        assert terminal.end() == 130
