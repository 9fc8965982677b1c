"""What an agent asks a person, and what may be answered."""

from datetime import date
from typing import Annotated, Literal

import orjson
import pytest
from pydantic import BaseModel, Field

from engine.core.commands import Answer, Approve, Deny
from engine.core.demand import Ask
from engine.core.policy import ApprovalPolicy
from engine.core.questions import ask_person
from engine.core.tool import Tool
from engine.errors import BadInputError, DefinitionError, NotAllowedError, RefusedError
from tests.core.story import STAFF, Story, shop
from tests.spec import asks


class Visit(BaseModel):
    day: date
    way: Literal["bus", "car"] = "bus"
    people: Annotated[int, Field(ge=1)]


FREE = ask_person()
CHOICE = ask_person(choices=["red", "blue"])
FORM = ask_person(form=Visit)


def question(one: Tool = FREE, **more: object) -> Story:
    text = orjson.dumps({"question": "Which?", **more}).decode()
    return Story(shop(one), asks((one.name, text)), authority=STAFF)


def test_a_question_parks_the_run_with_the_form_of_its_answer() -> None:
    story = question()
    assert (story.live.state, story.asked.kind) == ("AwaitingApproval", "question")
    assert story.asked.arguments == {"question": "Which?", "choices": None}
    assert story.asked.form == {"type": "string"}
    assert story.starts == ()


@pytest.mark.parametrize(
    ("one", "more", "form"),
    [
        (FREE, {"choices": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        (FREE, {"choices": []}, {"type": "string"}),
        (CHOICE, {}, {"type": "string", "enum": ["red", "blue"]}),
        (FORM, {}, Visit.model_json_schema()),
    ],
)
def test_the_approver_sees_what_the_answer_has_to_be(
    one: Tool, more: dict[str, object], form: dict[str, object]
) -> None:
    assert question(one, **more).asked.form == form


@pytest.mark.parametrize(
    ("one", "more", "answer", "read"),
    [
        (FREE, {}, "The red one.", "The red one."),
        (FREE, {"choices": ["a", "b"]}, "b", "b"),
        (CHOICE, {}, "red", "red"),
        (
            FORM,
            {},
            '{"people": 2, "day": "2026-02-03"}',
            '{"day":"2026-02-03","way":"bus","people":2}',
        ),
    ],
)
def test_an_answer_that_fits_is_the_result(
    one: Tool, more: dict[str, object], answer: str, read: str
) -> None:
    command = Answer(by="ann", result=answer, note="asked around")
    story = question(one, **more).says(command)
    assert story.read[-1] == ("tool", read)
    (said,) = story.live.verdicts
    assert (said.verdict, said.by, said.said, said.note) == ("answered", "ann", read, command.note)
    story.unmoved_by(command)
    story.unmoved_by(command.model_copy(update={"result": read}))
    other = command.model_copy(update={"result": "another"})
    story.refuses(other, RefusedError, "call_1_1 was answered by ann")


@pytest.mark.parametrize(
    ("one", "more", "answer", "fault"),
    [
        (FREE, {}, "", "the answer is empty"),
        (FREE, {}, " \n", "the answer is empty"),
        (FREE, {"choices": ["a", "b"]}, "c", "'c' is none of the choices: a, b"),
        (CHOICE, {}, "Red", "'Red' is none of the choices: red, blue"),
        (CHOICE, {}, "", "is none of the choices"),
        (FORM, {}, "tomorrow", "does not fit the form"),
        (FORM, {}, "[]", "does not fit the form: the answer: "),
        (FORM, {}, '{"day": "2026-02-03"}', "people: Field required"),
        (FORM, {}, '{"day": "2026-02-03", "people": 0}', "people: "),
        (FORM, {}, '{"day": "2026-02-03", "people": 1, "way": "boat"}', "way: "),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays(
    one: Tool, more: dict[str, object], answer: str, fault: str
) -> None:
    story = question(one, **more)
    story.refuses(Answer(by="ann", result=answer), BadInputError, fault)
    assert story.waiting == ["call_1_1"]


def test_what_the_model_offers_is_no_wider_than_what_the_author_allows() -> None:
    story = question(CHOICE, choices=["green"])
    assert story.waiting == []
    assert "Invalid arguments for ask_person: choices" in str(story.read[-1][1])


@pytest.mark.parametrize("one", [FREE, CHOICE, FORM])
def test_a_question_is_not_approved(one: Tool) -> None:
    words = "ask_person asks a question: answer it, or deny"
    for command in (
        Approve(by="ann"),
        Approve(by="ann", retry=True),
        Approve(by="ann", arguments={"question": "Really?"}),
        Approve(by="ann", remember={"question": {"eq": "Which?"}}),
    ):
        question(one).refuses(command, RefusedError, words)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, "A person declined to answer, without a reason."),
        ("none of our business", "A person declined to answer: none of our business"),
    ],
)
def test_a_person_may_decline_to_answer(reason: str | None, words: str) -> None:
    story = question().says(Deny(by="ann", reason=reason))
    assert (story.read[-1], story.live.results) == (("tool", words), ())


@pytest.mark.parametrize("policy", ["always", "never", "audit"])
def test_no_policy_keeps_a_question_from_being_asked(policy: Ask) -> None:
    assert question(ask_person(approval=policy)).asked.kind == "question"


def test_the_roles_and_the_deadline_of_its_policy_hold() -> None:
    one = ask_person(approval=ApprovalPolicy(roles=["manager"], expires_in=60))
    story = question(one)
    story.refuses(Answer(by="ann", result="x"), NotAllowedError, "the role manager")
    assert story.asked.expires_at is not None
    assert story.says(Answer(by="mia", result="x")).read[-1] == ("tool", "x")


def test_two_questions_have_names_and_words_of_their_own() -> None:
    ways = ask_person(name="ask_way", description="Ask how.", choices=["bus"])
    assert (ways.name, ways.description) == ("ask_way", "Ask how.")
    text = '{"question": "?"}'
    story = Story(shop(FREE, ways), asks(("ask_person", text), ("ask_way", text)))
    story.says(Answer(by="ann", call_id="call_1_2", result="bus"))
    assert story.waiting == ["call_1_1"]
    story.says(Answer(by="ann", result="by bus"))
    assert story.read[-2:] == [("tool", "by bus"), ("tool", "bus")]


def test_choices_and_a_form_at_once_are_refused() -> None:
    with pytest.raises(DefinitionError, match="one of choices, or fills a form"):
        ask_person(choices=["a"], form=Visit)


def test_a_question_whose_tool_is_gone_can_be_declined() -> None:
    story = question().under(shop())
    story.refuses(Answer(by="ann", result="x"), RefusedError, "ask_person is gone")
    assert story.says(Deny(by="ann")).read[-1][0] == "tool"
