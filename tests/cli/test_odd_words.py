"""What was found by attack, where people look."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from engine import ApprovalPolicy, DefinitionError, Escalation, ScriptedModel, ask_person
from engine.cli.asks import described
from engine.core.commands import Approve
from engine.core.run import pending_of
from tests.cli.desk import APPROVERS, begin, waystation
from tests.core.story import Story, pays, shop
from tests.runtime.test_engine import OK, calls
from tests.spec import asks


def test_a_changed_action_that_was_escalated_can_be_shown() -> None:
    policy = ApprovalPolicy(
        quorum=2, expires_in=60, on_expiry=Escalation(role="boss", expires_in=60)
    )
    story = Story(shop(pays(policy)), asks(("pay", '{"order": "1"}')))
    story.says(Approve(by="ann", arguments={"order": "1", "amount": 3})).later(61).goes_on()
    assert any("changed by" in line for line in described(pending_of(story.live, story.asked)))


def test_a_question_shows_its_choices() -> None:
    story = Story(
        shop(ask_person(choices=["red", "blue"])), asks(("ask_person", '{"question": "?"}'))
    )
    assert "blue" in "\n".join(described(pending_of(story.live, story.asked)))


def test_a_form_without_a_schema_is_refused_where_it_is_declared() -> None:
    class Form(BaseModel):
        call: Callable[[], None]

    with pytest.raises(DefinitionError):
        ask_person(form=Form)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_audit_is_inert_in_a_terminal(form: str) -> None:
    Path("approvers.toml").write_text(APPROVERS)
    evil = "a\x1b]0;x\x07\u202e\x9b"
    begin("r2", model=ScriptedModel([calls(("note", {"line": evil})), OK]))
    said = waystation("audit", "--format", form).output
    assert not set(evil[1:]) - set("]0;x") & set(said)


@pytest.mark.parametrize("since", ["nan", "inf", "1e30d", "999999d"])
def test_a_time_that_is_none_is_wrong_usage(since: str) -> None:
    assert isinstance(waystation("audit", "--since", since).exception, click.UsageError)
