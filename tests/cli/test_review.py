"""Walking through what waits, with keys; and what the command says of it afterwards."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from engine import ScriptedModel, State
from engine.errors import BadInputError
from tests.cli.desk import APPROVERS, begin, stored, waystation
from tests.runtime.test_engine import OK, calls


@pytest.fixture(autouse=True)
def _waiting() -> None:
    Path("approvers.toml").write_text(APPROVERS)
    begin()


def reviewed(keys: str, *words: str, by: str = "ann") -> str:
    return waystation("review", "--by", by, *words, keys=keys).output


def test_a_key_approves_and_the_next_one_is_shown() -> None:
    said = reviewed("awred\n")
    assert "1 of 2" in said
    assert "2 of 2" in said
    run = stored()
    assert (run.state, [one.verdict for one in run.verdicts]) == (
        State.Done,
        ["granted", "answered"],
    )
    assert [one.by for one in run.verdicts] == ["ann", "ann"]


def test_skip_leaves_it_and_quit_ends_and_other_keys_ask_again() -> None:
    before = stored()
    said = reviewed("xZsq")
    assert said.count("[a]pprove") == 3
    assert stored() == before


def test_a_denial_asks_for_the_reason_that_the_model_reads() -> None:
    reviewed("dtoo much\nq")
    (said,) = stored().verdicts
    assert (said.verdict, said.said) == ("denied", "too much")


def test_who_may_not_is_told_why_and_goes_on_with_the_next() -> None:
    result = waystation("review", "--by", "bob", keys="as")
    assert "bob may not approve pay (call_1_1): it takes the role staff" in result.output
    assert "2 of 2" in result.output
    assert result.return_value == 1
    assert stored().verdicts == ()


@pytest.mark.parametrize(
    ("edit", "keys", "verdicts"),
    [
        (lambda text: text.replace("60", "20"), "ey\nq", ["granted"]),
        (lambda text: text.replace("60", "20"), "en\nq", []),
        (lambda text: text, "eq", []),
        (lambda _: '{"amount": 1, "amount": 999}', "eq", []),
        (lambda _: "[]", "eq", []),
    ],
)
def test_arguments_are_changed_in_an_editor(
    monkeypatch: pytest.MonkeyPatch, edit: Callable[[str], str], keys: str, verdicts: list[str]
) -> None:
    monkeypatch.setattr(click, "edit", lambda text, **_: edit(text))  # the editor, not ours
    reviewed(keys)
    run = stored()
    assert [one.verdict for one in run.verdicts] == verdicts
    if verdicts:
        assert run.verdicts[0].arguments == {"order": "o1", "amount": 20.0}


def test_what_is_too_long_for_a_glance_takes_more_than_a_key() -> None:
    begin("r2", model=ScriptedModel([calls(("pay", {"order": "o" * 5000, "amount": 60})), OK]))
    assert "type the first 8 characters" in reviewed("sawrong\nq", "--tool", "pay")
    assert stored("r2").verdicts == ()
    digest = stored("r2").approvals[0].digest[:8]
    reviewed(f"sa{digest}\nq", "--tool", "pay")
    assert [one.verdict for one in stored("r2").verdicts] == ["granted"]


def test_the_command_takes_edits_rules_and_their_revocation() -> None:
    done = waystation(
        *("approve", "r1", "--call", "call_1_1", "--by", "ann", "--note", "less"),
        *("--set", "amount=20", "--while", "amount <= 20", "--while", 'order == "o1"'),
    )
    assert done.exit_code == 0, done.output
    assert "Allowed beforehand by ann: pay while amount <= 20" in done.output
    run = stored()
    assert run.verdicts[0].arguments == {"order": "o1", "amount": 20.0}
    (rule,) = run.rules
    assert rule.when == {"amount": {"le": 20}, "order": {"eq": "o1"}}
    assert waystation("revoke", "r1", rule.id, "--by", "ann").exit_code == 0
    assert stored().rules == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("approve", "r1", "--set", "amount"), "is not NAME=JSON"),
        (("approve", "r1", "--set", "order=o1"), "order='\"a text\"'"),
        (("approve", "r1", "--while", "amount about 20"), "is no condition"),
        (("approve", "r1", "--while", "amount <= x"), "is no condition"),
        (("approvals", "--older-than", "soon"), "is no time"),
        (("audit", "--since", "soon"), "is no time"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(words: tuple[str, ...], said: str) -> None:
    result = waystation(*words)
    assert isinstance(result.exception, click.UsageError), result.output
    assert said in result.output


def test_an_answer_that_is_no_choice_changes_nothing() -> None:
    before = stored()
    result = waystation("answer", "r1", "--call", "call_1_3", "--by", "ann", "--result", "green")
    assert isinstance(result.exception, BadInputError)
    assert "'green' is none of the choices: red, blue" in str(result.exception)
    assert stored() == before


def test_the_list_is_filtered() -> None:
    def tools(*words: str) -> list[str]:
        return [one["tool"] for one in json.loads(waystation("approvals", "--json", *words).output)]

    assert tools() == ["pay", "ask_person"]
    assert tools("--tool", "pay") == ["pay"]
    assert tools("--role", "staff") == ["pay", "ask_person"]
    assert tools("--role", "boss") == ["ask_person"]
    assert tools("--older-than", "1h") == tools("--workflow", "other") == []


def test_a_message_is_seen_by_who_decides() -> None:
    assert waystation("send", "r1", "please hurry", "--by", "zoe").exit_code == 0
    assert "a message came since" in waystation("approvals").output
    assert "please hurry" in waystation("show", "r1").output


def test_the_audit_says_who_asked_who_decided_what_ran_and_what_came_of_it() -> None:
    waystation(
        "approve", "r1", "--call", "call_1_1", "--by", "ann", "--note", "ok", "--set", "amount=20"
    )
    lines = waystation("audit", "--format", "jsonl").output.splitlines()
    paid, noted, asked = map(json.loads, lines)
    assert (paid["started_by"], paid["tool"], paid["outcome"]) == ("zoe", "pay", "returned")
    assert json.loads(paid["requested"]) == {"order": "o1", "amount": 60}
    assert (paid["asked"]["amount"], paid["ran"]["amount"]) == (60, 20)
    (said,) = paid["verdicts"]
    assert (said["by"], said["verdict"], said["note"]) == ("ann", "granted with changes", "ok")
    assert (noted["to_review"], asked["outcome"]) == ("tool note", "open")
    assert "role staff" in paid["policy"]


def test_the_audit_as_a_table_runs_nothing_in_a_spreadsheet() -> None:
    rows = list(csv.DictReader(io.StringIO(waystation("audit", "--to-review").output)))
    assert [row["tool"] for row in rows] == ["note"]
    assert rows[0]["result"] == "noted =1+1"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert waystation("audit", "--since", "2100-01-01").output == ""
    assert len(waystation("audit", "--since", "1h", "--tool", "pay").output.splitlines()) == 2
