"""`waystation rerun` says run by run whether today's code does as was done."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine import Message, ModelReply, ModelRequest, Workflow
from engine.cli.root import cli
from engine.errors import UnknownRunError
from tests.cli.test_command import MESSAGE, waystation
from tests.replay import rerun_shop
from tests.replay.rerun_shop import LOOK, PAY, SHOP, WORKFLOWS, write_log
from tests.runtime.test_engine import calls

HOME = "tests.replay.rerun_shop"


def called(*words: str, app: str = "WORKFLOWS") -> tuple[int, str]:
    """The exit code, and what is printed, of the command in this process."""
    done = CliRunner().invoke(
        cli, ["--app", f"{HOME}:{app}", "rerun", *words], standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def test_a_log_reruns_as_it_was_recorded_run_by_run() -> None:
    for run_id in ("r1", "r2"):
        write_log(Path("runs.jsonl"), run_id)
    code, printed = called("runs.jsonl")
    assert code == 0
    assert printed.splitlines() == [
        "r1 (shop) reruns as it was recorded: 7 events",
        "r2 (shop) reruns as it was recorded: 7 events",
        "2 runs, of which 0 differ or cannot be rerun.",
    ]


def test_the_first_divergence_is_named_and_the_exit_code_is_1() -> None:
    write_log(Path("runs.jsonl"))
    code, printed = called("runs.jsonl", app="UNASKED")
    assert code == 1
    assert printed == (
        "r1 (shop) diverges at turn 2, seq 7: a person was asked about pay (call_2_1); "
        "today's code would run pay (call_2_1) unasked\n"
    )
    code, printed = called("runs.jsonl", app="OTHER_PROMPT")
    assert code == 1
    assert "    -Be brief.\n    +Be polite.\n" in printed


def test_machines_read_the_same_as_json() -> None:
    write_log(Path("runs.jsonl"))
    code, printed = called("--json", "runs.jsonl", app="UNASKED")
    found: dict[str, Any] = json.loads(printed)
    (run,) = found["runs"]
    assert (code, run["run_id"], run["workflow"], run["events"]) == (1, "r1", "shop", 7)
    differs = run["divergence"]
    assert (differs["turn"], differs["seq"], differs["kind"]) == (2, 7, "approval_requested")
    assert (found["lines"], found["foreign"], found["damaged"]) == (7, 0, [])
    code, printed = called("--json", "runs.jsonl")
    assert (code, json.loads(printed)["runs"][0]["divergence"]) == (0, None)


def test_rotated_logs_are_read_together() -> None:
    write_log(Path("runs.jsonl"))
    lines = Path("runs.jsonl").read_bytes().splitlines(keepends=True)
    Path("runs.1.gz").write_bytes(gzip.compress(b"".join(lines[:4])))
    Path("runs.jsonl").write_bytes(b"".join(lines[3:]))
    code, printed = called("runs.jsonl", "runs.1.gz")
    assert (code, printed) == (0, "r1 (shop) reruns as it was recorded: 7 events\n")


def test_a_run_that_is_not_whole_is_named_and_the_others_are_rerun() -> None:
    for run_id in ("r1", "r2"):
        write_log(Path("runs.jsonl"), run_id)
    lines = Path("runs.jsonl").read_bytes().splitlines(keepends=True)
    Path("runs.jsonl").write_bytes(b"".join(lines[:2] + lines[3:]))
    code, printed = called("runs.jsonl")
    assert code == 1
    assert "r1 (shop) cannot be rerun: " in printed
    assert "seq 3" in printed
    assert "r2 (shop) reruns as it was recorded: 7 events\n" in printed


def test_a_workflow_that_the_app_does_not_have_is_named() -> None:
    write_log(Path("runs.jsonl"))
    done = CliRunner().invoke(cli, ["rerun", "runs.jsonl"], standalone_mode=False)
    assert done.return_value == 1
    assert "cannot be rerun: there is no workflow 'shop'; there are: refunds" in done.output


def test_a_run_of_the_store_reruns_in_another_process() -> None:
    assert waystation("start", "refunds", MESSAGE, "--run-id", "r1").returncode == 0
    before = {file: file.read_bytes() for file in Path(".waystation").iterdir()}
    done = waystation("rerun", "r1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "r1 (refunds) reruns as it was recorded: 15 events\n"
    kept = {file: file.read_bytes() for file in before if file.exists()}
    assert kept == {file: data for file, data in before.items() if file in kept}
    unknown = waystation("rerun", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "waystation: there is neither a log nor a run 'nobody' here\n"


def test_the_words_are_the_same_on_any_machine() -> None:
    for run_id in ("r1", "r2"):
        write_log(Path("runs.jsonl"), run_id)
    words = ("rerun", "runs.jsonl", "--app", f"{HOME}:OTHER_PROMPT")
    home = str(Path(rerun_shop.__file__).parents[2])
    said = {
        waystation(*words, PYTHONPATH=home, PYTHONHASHSEED=seed, TZ=zone, LC_ALL=tongue).stdout
        for seed, zone, tongue in (("1", "Asia/Tokyo", "C"), ("2", "America/Lima", "C.UTF-8"))
    }
    assert len(said) == 1
    assert "diverges" in said.pop()


def test_what_was_recorded_is_inert_where_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = ("pay", {"order": "\x1b[31m\u202e", "amount": 60})
    monkeypatch.setattr(rerun_shop, "PAY", odd)
    write_log(Path("runs.jsonl"))
    monkeypatch.setattr(
        rerun_shop,
        "OTHER_PROMPT",
        [Workflow(name="shop", instructions="\x1b[31m", tools=SHOP.tools)],
    )
    _, printed = called("runs.jsonl", app="OTHER_PROMPT")
    assert "\x1b" not in printed
    assert "+\\u001b[31m" in printed


class Asked:
    """A model that asks for what it is told, and counts how often it was asked."""

    def __init__(self, *sayings: dict[str, Any]) -> None:
        self.sayings, self.times, self.closed = list(sayings), 0, 0

    async def complete(self, _: ModelRequest) -> ModelReply:
        said = self.sayings[self.times % len(self.sayings)]
        self.times += 1
        return ModelReply(Message.model_validate({"role": "assistant", **said}))

    async def aclose(self) -> None:
        self.closed += 1


def test_a_live_model_is_asked_turn_by_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    for run_id in ("r1", "r2"):
        write_log(Path("runs.jsonl"), run_id)
    model = Asked(calls(LOOK), calls(PAY))
    live = [Workflow(name="shop", instructions="Other.", tools=SHOP.tools, model=model)]
    monkeypatch.setattr(rerun_shop, "WORKFLOWS", live)
    code, printed = called("runs.jsonl", "--live-model")
    assert (code, model.times, model.closed) == (0, 4, 1)
    assert printed.startswith("r1 (shop) gets the same tool calls from this model: 7 events\n")
    model.sayings = [calls(PAY)]
    code, printed = called("runs.jsonl", "--live-model")
    assert code == 1
    assert "turn 1, seq 2: the recorded model asked for look; today's asked for pay" in printed


def test_a_live_model_that_breaks_is_said_in_words_without_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        async def complete(self, request: ModelRequest) -> ModelReply:
            raise RuntimeError(f"no {request.turn} for sk-Canary0123456789abcdefghij")

    write_log(Path("runs.jsonl"), "r1")
    live = [Workflow(name="shop", instructions="Help.", tools=SHOP.tools, model=Broken())]
    monkeypatch.setattr(rerun_shop, "WORKFLOWS", live)
    code, printed = called("runs.jsonl", "--live-model")
    assert code == 1
    assert "cannot be rerun: the model client failed: RuntimeError: no 1 for ***" in printed


def test_without_a_model_a_live_one_cannot_be_asked() -> None:
    assert WORKFLOWS[0].model is None
    write_log(Path("runs.jsonl"))
    code, printed = called("runs.jsonl", "--live-model")
    assert code == 1
    assert "has no model of its own: set OPENAI_API_KEY" in printed


def test_a_model_is_named_for_live_ones_only() -> None:
    done = waystation("rerun", "r1", "--model", "some")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "waystation: --model goes with --live-model\n"


def test_what_is_neither_a_log_nor_a_run_is_one_line() -> None:
    for word in ("runs.jsonl", "folder"):
        Path("folder").mkdir(exist_ok=True)
        with pytest.raises(UnknownRunError, match=f"there is neither a log nor a run '{word}'"):
            called(word)
