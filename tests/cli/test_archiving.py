"""The commands archive and forget."""

import json
from pathlib import Path

import pytest

from tests.cli.desk import begin, waystation

LOG = ("--log", "runs.jsonl")


@pytest.fixture
def _ended() -> None:
    Path("approvers.toml").write_text('[approvers]\nann = ["staff"]\n', encoding="utf-8")
    begin("r1", log="runs.jsonl")
    begin("r2", log="runs.jsonl")
    assert waystation("abort", "r1", "--by", "ann").exit_code == 0


@pytest.mark.usefixtures("_ended")
def test_ended_runs_are_archived_and_the_others_stay() -> None:
    done = waystation("archive", "--ended-before", "1h", "--to", "old")
    assert done.output == "Moved to an archive: no runs.\n"
    done = waystation("archive", "--ended-before", "0s", "--to", "old")
    (file,) = Path("old").iterdir()
    assert done.output == f"Moved to {file.absolute()}: 1 run.\n"
    assert json.loads(waystation("list", "--json").output)[0]["id"] == "r2"
    shown = waystation("show", "r1")
    assert f"is archived in {file.absolute()}; put it back with" in str(shown.exception)
    assert "Archived: 1 run." in waystation("verify").output
    assert json.loads(waystation("verify", "--json").output)["archived"] == 1
    assert waystation("rebuild", str(file)).exit_code == 0
    assert waystation("show", "r1").exit_code == 0
    file.unlink()


@pytest.mark.usefixtures("_ended")
def test_ended_runs_are_forgotten_and_active_ones_are_named() -> None:
    done = waystation("forget", "r1", "r2", "nope", "--by", "boss", "--log", "runs.jsonl")
    assert done.return_value == 1
    assert "Run r1: erased from" in done.output
    assert "r2 is AwaitingApproval; abort it first" in done.output
    assert "no run 'nope'" in done.output
    again = waystation("forget", "r1", "--by", "boss", "--json")
    assert json.loads(again.output)["erased"] == {"r1": 0}
    assert b'"schema"' in Path("runs.jsonl").read_bytes()
    assert "[erased]" in waystation("show", "r1").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("forget",), "name the RUNs, or a --customer"),
        (("forget", "r1", "--log", "gone.jsonl"), "'gone.jsonl' does not exist"),
        (("forget", "r1", "--by", " "), "by is empty"),
        (("archive", "--to", "x"), "Missing option '--ended-before'"),
        (("archive", "--ended-before", "soon", "--to", "x"), "'soon' is no time"),
        (("archive", "--ended-before", "999999999d", "--to", "x"), "before all time"),
    ],
)
@pytest.mark.usefixtures("_ended")
def test_a_mistake_gets_one_line_and_changes_nothing(words: tuple[str, ...], said: str) -> None:
    before = Path("runs.jsonl").read_bytes()
    done = waystation(*words)
    assert said in f"{done.output}{done.exception}"
    assert done.exit_code != 0
    assert Path("runs.jsonl").read_bytes() == before
    assert not Path("x").exists()


def test_a_run_is_started_about_a_customer_and_found_by_that_key() -> None:
    Path("approvers.toml").write_text("[approvers]\n", encoding="utf-8")
    words = ("start", "desk", "Hello", "--run-id", "r1", "--customer", "c1", "--detach")
    assert waystation(*words).exit_code == 0
    assert json.loads(waystation("show", "r1", "--json").output)["customer"] == "c1"
    assert "r1 is AwaitingModel" in waystation("forget", "--customer", "c1").output
    assert waystation("forget", "--customer", "c2").output.startswith("There is no such run; ")
