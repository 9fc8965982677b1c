"""The built-in tool by which an agent asks a person something."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from engine.core.canonical import digest
from engine.core.forms import Filled, Text
from engine.core.policy import Policy
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.errors import DefinitionError

_DESCRIPTION = "Ask a person of the staff something that only they can know or decide."


def ask_person(
    *,
    name: str = "ask_person",
    description: str = _DESCRIPTION,
    choices: Sequence[str] = (),
    form: type[BaseModel] | None = None,
    approval: Policy = "always",
) -> Tool:
    """A tool that parks the run until a person has answered.

    The model gives the `question`. The answer is free text, or one of `choices` (these,
    or those the model offers), or JSON that fits `form`; it goes back as the tool's
    result. The roles and the deadline of `approval` hold. Raises DefinitionError for
    choices and a form at once.
    """
    if form is not None and choices:
        raise DefinitionError(f"tool {name}: an answer is one of choices, or fills a form")
    try:
        schema = form.model_json_schema() if form else {}
        digest(schema)
    except (PydanticUserError, TypeError, ValueError) as error:
        raise DefinitionError(f"tool {name}: the form: {error}") from error
    free = form is None and not choices
    asked = tool(name=name, description=description, read_only=True, approval=approval)(
        _with_choices if free else _without
    )
    return replace(asked, form=Filled(form) if form else Text(tuple(choices)))


def _with_choices(question: str, choices: list[str] | None = None) -> str:
    """Ask.

    Args:
        question: What to ask, with all that the person needs to know
        choices: The possible answers, where they are few
    """
    raise NotImplementedError(question, choices)


def _without(question: str) -> str:
    """Ask.

    Args:
        question: What to ask, with all that the person needs to know
    """
    raise NotImplementedError(question)
