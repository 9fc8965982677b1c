"""What the command says of a run that has come to a limit, and what may be done about it."""

import json
from decimal import Decimal

import click
import pytest
from click.testing import CliRunner, Result

from engine import State
from engine.cli.root import cli
from tests.cli.desk import stored
from tests.cli.limited import box
from tests.runtime.test_engine import SQLITE

STORE = ("--store", SQLITE, "--app", "tests.cli.limited:WORKFLOWS")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def waystation(*words: str, keys: str | None = None) -> Result:
    runner = CliRunner()
    result = runner.invoke(cli, [*STORE, *words], input=keys, standalone_mode=False)
    if isinstance(result.exception, click.ClickException):
        result.output_bytes += result.exception.format_message().encode()
    return result


def begun(on_limit: str) -> str:
    """What the command says of a run that has come to its limit."""
    box.told.clear()
    return waystation("start", on_limit, "Hello", "--run-id", "r1").output


def test_a_person_is_shown_the_limit_what_was_found_and_what_can_be_said() -> None:
    started = begun("ask")
    asked = waystation("approvals").output
    for said in (started, asked, waystation("show", "r1").output):
        assert "LIMIT: the limit max_turns=2 is reached. May it go on?" in said
        assert "found so far: Looking 2 up." in said
        assert "  go on:  waystation resume r1 --raise max_turns=+N" in said
        assert "  stop:   waystation deny r1 --approval r1.1 --digest" in said
        assert "call ," not in said
    listed = waystation("list").output
    assert "AwaitingApproval" in listed
    assert listed.rstrip().endswith("limit max_turns")


def test_notifiers_are_told_of_the_limit() -> None:
    begun("ask")
    (notice,) = box.told
    approval = json.loads(notice.model_dump_json())["approval"]
    assert (approval["kind"], approval["tool"], approval["words"]) == (
        "limit",
        "max_turns",
        "Looking 2 up.",
    )


def test_the_limit_is_raised_by_the_command_and_shown_with_who_did_it() -> None:
    begun("ask")
    done = waystation("resume", "r1", "--raise", "max_turns=+2", "--by", "ann").output
    assert "max_turns +2  ann" in done
    assert "is Done" in done
    shown = waystation("show", "r1").output
    assert "ann raised max_turns by 2 at " in shown
    assert "Limit:" not in shown


def test_a_run_that_was_aborted_at_a_limit_says_how_it_is_revived() -> None:
    said = begun("abort")
    assert "Reason: the limit max_turns=2 is reached" in said
    assert "Found so far: Looking 2 up." in said
    way_on = "to raise it and go on: waystation resume r1 --raise max_turns=+N"
    assert f"Limit: max_turns; {way_on}" in said
    waystation("resume", "r1", "--raise", "max_turns=+1", "--by", "ann")
    assert stored().state is State.Done


def test_a_run_that_gave_its_last_answer_names_the_limit() -> None:
    said = begun("answer")
    assert "limit_reached" in said
    assert "the limit max_turns=2 is reached. Answer now" in said
    assert "Limit: max_turns\n" in said
    assert "--raise" not in said
    refused = waystation("resume", "r1", "--raise", "max_turns=+1")
    assert "has given its last answer at the limit max_turns and is Done" in str(refused.exception)
    waystation("send", "r1", "And?")
    assert "max_turns +1000  " in waystation("resume", "r1", "--raise", "max_turns=+1e3").output
    assert "raised max_turns by 1000 at " in waystation("show", "r1").output


def test_review_offers_to_raise_the_limit() -> None:
    begun("ask")
    said = waystation("review", "--by", "ann", keys="rmany\n2\n")
    assert "[r]aise it  [d]eny, which stops the run  [s]kip  [q]uit" in said.output
    assert "'many' is no number" in said.output
    run = stored()
    assert (run.state, dict(run.raised)) == (State.Done, {"max_turns": Decimal(2)})


@pytest.mark.parametrize("amount", ["-1", "0.5", "NaN", "1e40"])
def test_review_asks_again_for_an_amount_that_makes_no_sense(amount: str) -> None:
    begun("ask")
    said = waystation("review", "--by", "ann", keys=f"r{amount}\nq")
    assert said.exception is None
    assert said.output.count("[r]aise it") == 2
    assert stored().state is State.AwaitingApproval


def test_review_offers_to_stop() -> None:
    begun("ask")
    said = waystation("review", "--by", "ann", keys="denough\n")
    assert "the model reads it" not in said.output
    run = stored()
    assert (run.state, run.limit, run.found) == (State.Aborted, "max_turns", "Looking 2 up.")
    assert (run.reason or "").endswith("ann did not let it go on: enough")


def test_a_no_says_what_it_was_about_where_it_is_refused() -> None:
    begun("ask")
    said = waystation("deny", "r1", "--by", "ann", "--digest", "0" * 8)
    assert "the limit max_turns waits with another action" in str(said.exception)
    said = waystation("deny", "r1", "--by", "ann", "--call", "call_9")
    assert "it waits for: the limit max_turns" in str(said.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("max_turns=2", "is said like max_turns=+10"),
        ("max_turns=+many", "is said like max_turns=+10"),
        ("max_turns=+nan", "is said like max_turns=+10"),
        ("max_turns=+9999999999", "at most 1,000,000,000 is added at once"),
        ("everything=+1", "there are max_turns, "),
        ("max_turns=+0", "an amount above 0 is added"),
        ("max_turn=+1", "is max_turns meant?"),
        ("max_tokens=+1", "has come to max_turns; raise that one"),
    ],
)
def test_what_raises_nothing_is_refused_and_changes_nothing(words: str, said: str) -> None:
    begun("ask")
    result = waystation("resume", "r1", "--raise", words)
    assert said in f"{result.output}{result.exception}"
    assert stored().state is State.AwaitingApproval


def test_the_same_limit_may_be_asked_about_again() -> None:
    begun("ask")
    waystation("resume", "r1", "--raise", "max_turns=+1", "--by", "ann")
    assert stored().state is State.Done
    said = waystation("send", "r1", "And?").output
    assert "LIMIT: the limit max_turns=3 is reached" in said
    assert waystation("diff", "r1", "r1").exit_code == 0


def test_what_reads_runs_reads_those_that_came_to_a_limit() -> None:
    begun("ask")
    waystation("deny", "r1", "--by", "bob")
    waystation("start", "ask", "Hello", "--run-id", "r2")
    waystation("resume", "r2", "--raise", "max_turns=+2", "--by", "ann")
    stats = json.loads(waystation("--json", "stats").output)
    assert (stats["approvals"]["denied"], stats["approvals"]["granted"]) == (1, 1)
    assert "only in r2: answer: ok" in waystation("diff", "r1", "r2").output
    replayed = waystation("replay", "r2").output
    assert "    limit: max_turns\n" in replayed
    assert "max_turns ()" not in replayed
    assert "r2 (ask) reruns as it was recorded" in waystation("rerun", "r1", "r2").output
    audited = waystation("audit").output
    assert audited.count("look") == 4, "a limit is no call"


def test_a_fork_at_the_question_asks_it_anew() -> None:
    begun("ask")
    forked = waystation("fork", "r1", "--at", "10", "--run-id", "r2").output
    assert "deny r2 --approval r2.2 --digest" in forked
    assert stored("r2").limit == "max_turns"
    assert stored("r1").state is State.AwaitingApproval
