"""No secret is printed, by any subcommand; what people decide is about the true values."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
import pytest
from pydantic import SecretStr

from engine import ApprovalPolicy, Checkpoint, ScriptedModel, Workflow, tool
from engine.cli import main
from engine.core.free_fields import without_secrets
from tests.cli import desk
from tests.cli.desk import STORE, begin, stored, waystation
from tests.runtime.gate import CANARY, OTHER
from tests.runtime.test_engine import OK, calls

GIVEN: list[tuple[str, str, dict[str, str]]] = []
CARD = "4111 1111 1111 1111"


@tool(approval=ApprovalPolicy(roles=["staff"]))
def enter(word: SecretStr, door: str = "front", more: dict[str, str] | None = None) -> str:
    """Enter."""
    GIVEN.append((word.get_secret_value(), door, more or {}))
    return f"let in with {word.get_secret_value()}"


@tool(approval="never")
def greet(name: str) -> str:
    """Greet."""
    return f"hello {name}"


MORE = {"api_key": OTHER, "user": "ann"}
ASKED = calls(
    ("enter", {"word": CANARY, "more": MORE}), ("greet", {"name": f"{CANARY} {OTHER} {CARD}"})
)
SAID = {**ASKED, "content": f"I will use {CANARY}, {CARD}."}
LAST = {"content": f"Done with {CANARY}, {OTHER}, {CARD}."}
APPROVERS = '[approvers]\nann = ["staff"]\nbob = []\n'


@pytest.fixture(autouse=True)
def _waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = Workflow(
        name="desk",
        instructions="Help.",
        tools=(enter, greet),
        model=ScriptedModel([SAID, LAST, OK]),
    )
    monkeypatch.setattr(desk, "WORKFLOWS", [workflow])
    with open("approvers.toml", "w") as file:  # noqa: PTH123 # the working folder's
        file.write(APPROVERS)
    GIVEN.clear()
    begin(log="told.jsonl")


def printed(*words: str, keys: str | None = None) -> str:
    """All that is printed, which holds no secret."""
    output = waystation(*words, keys=keys).output
    assert "kanarie" not in output
    assert "4111" not in output
    return output


LOOKING = [
    ("approvals",),
    ("approvals", "--json"),
    ("show", "r1"),
    ("show", "r1", "--json"),
    ("log", "r1"),
    ("log", "r1", "--json"),
    ("list",),
    ("list", "--json"),
    ("audit",),
    ("audit", "--format", "jsonl"),
    ("diff", "r1", "r1"),
    ("diff", "r1", "r1", "--json"),
    ("stats",),
    ("stats", "--json"),
    ("verify",),
    ("replay", "r1"),
    ("replay", "r1", "--json"),
    ("replay", "r1", "--at", "5"),
    ("replay", "r1", "--at", "5", "--json"),
    ("rerun", "r1"),
]


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_nothing_that_looks_prints_a_secret(words: tuple[str, ...]) -> None:
    assert printed(*words)
    printed("approve", "r1", "--by", "ann")
    assert [(CANARY, "front", MORE)] == GIVEN
    assert stored().answer == LAST["content"]
    after = printed(*words)
    if words[0] in {"show", "list"}:
        assert "Done with ***, ***, ***." in after


def test_where_today_s_code_differs_is_told_without_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workflow = desk.WORKFLOWS[0]
    silent = tool(approval="never", name="enter")(enter.function)
    monkeypatch.setattr(desk, "WORKFLOWS", [replace(workflow, tools=(silent, greet))])
    assert "diverges at" in printed("rerun", "r1")
    assert json.loads(printed("rerun", "r1", "--json"))["runs"][0]["divergence"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"arguments": {"word": "another"}},
        {"exactly": {"word": "another"}},
        {"where": {"word": {"in": ["another", "the third"]}}},
    ],
)
def test_an_evaluation_is_told_without_the_secret_and_what_was_expected_in_its_place(
    wanted: dict[str, Any],
) -> None:
    case = {
        "name": "one",
        "workflow": "desk",
        "message": "Hello",
        "approvals": [{"tool": "enter", "verdict": "approve", "by": "ann"}],
        "expect": {
            "answer": {"contains": "no such"},
            "calls": [{"tool": "ent*", **wanted}],
        },
    }
    with open("cases.jsonl", "w") as file:  # noqa: PTH123 # the working folder's
        file.write(json.dumps(case))
    output = printed("eval", "cases.jsonl")
    assert "FAILED one" in output
    assert "expected ent* w" in output
    assert "another" not in output
    assert "third" not in output


def test_who_approves_sees_what_is_hidden_and_the_digest() -> None:
    output = printed("approvals")
    digest = stored().approvals[0].digest
    assert 'word: "***"' in output
    assert 'more: {"api_key": "***", "user": "ann"}' in output
    assert f"digest {digest[:12]}" in output
    printed("approve", "r1", "--by", "ann", "--digest", digest[:12])
    assert [(CANARY, "front", MORE)] == GIVEN


def test_a_secret_can_be_set_and_the_others_stay_as_they_are() -> None:
    output = printed("approve", "r1", "--by", "ann", "--set", f'word="{OTHER}!"')
    assert "r1 (desk) is Done" in output
    assert [(f"{OTHER}!", "front", MORE)] == GIVEN


@pytest.mark.parametrize(
    "words",
    [
        ("approve", "r1", "--by", "bob", "--note", CANARY),
        ("approve", "r1", "--by", "ann", "--set", f'door="{CANARY}"', "--set", f'wo="{OTHER}"'),
        ("approve", "r1", "--by", "ann", "--while", f'door == "{CANARY}"'),
        ("deny", "r1", "--call", f"sk-{OTHER}{CANARY}"),
        ("show", f"sk-{OTHER}{CANARY}"),
    ],
    ids=lambda words: " ".join(words[:4]),
)
def test_no_complaint_repeats_a_secret(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored()
    monkeypatch.setattr(sys, "argv", ["waystation", *STORE, *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code, said.err.startswith("waystation: ")) == (1, True)
    assert "kanarie" not in said.out + said.err
    assert stored() == before


@pytest.mark.parametrize(
    ("edit", "given"),
    [
        (lambda text: text.replace("front", "back"), (CANARY, "back", MORE)),
        (
            lambda text: text.replace('"word": "***"', '"word": "anew"'),
            ("anew", "front", MORE),
        ),
        (lambda text: text.replace('"ann"', '"bob"'), (CANARY, "front", {**MORE, "user": "bob"})),
        (lambda text: text.replace('"word": "***"', '"word": "x***"'), None),
        (lambda text: text.replace('"api_key"', '"other"'), None),
    ],
)
def test_what_is_not_shown_in_the_editor_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, edit: Callable[[str], str], given: Any
) -> None:
    seen: list[str] = []

    def editor(text: str, **_: object) -> str:
        seen.append(text)
        return edit(text)

    monkeypatch.setattr(click, "edit", editor)
    output = printed("review", "--by", "ann", keys="ey\nq")
    assert json.loads(seen[0]) == {
        "word": "***",
        "door": "front",
        "more": {"api_key": "***", "user": "ann"},
    }
    assert ([] if given is None else [given]) == GIVEN
    assert ("stands for what is not shown" in output) is (given is None)


def test_a_masked_row_has_what_the_others_have() -> None:
    (row,) = json.loads(waystation("list", "--json").output)
    assert row.keys() == {"schema", *Checkpoint.model_fields}


def test_undeclared_secrets_are_masked_as_far_as_a_row_knows_them() -> None:
    row = {
        "answer": f"sk-{'a1' * 10} and hush-hush",
        "workflow": "shop",
        "approvals": [{"tool": "post", "arguments": {"token": "ok", "password": "hush-hush"}}],
    }
    assert without_secrets(row) == {
        "answer": "*** and ***",
        "workflow": "shop",
        "approvals": [{"tool": "post", "arguments": {"token": "ok", "password": "***"}}],
    }
