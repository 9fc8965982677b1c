"""Questions that an agent asks a person, and the form of their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from pydantic import BaseModel, JsonValue, ValidationError

from engine.core.canonical import require_canonical
from engine.core.messages import Arguments
from engine.core.secret_paths import secret_paths
from engine.core.secret_values import SecretSchema, written_down
from engine.errors import BadInputError


class Form(Protocol):
    """What an answer must be."""

    def schema(self, arguments: Arguments) -> dict[str, JsonValue]:
        """The JSON Schema of the answer to a question with these arguments."""
        ...

    def check(self, arguments: Arguments, answer: str) -> str:
        """The answer as the model reads it; BadInputError, in one line, where it does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """Any words, or one of the choices that the question offers."""

    choices: Sequence[str] = ()

    def schema(self, arguments: Arguments) -> dict[str, JsonValue]:
        """See Form."""
        choices = self._choices(arguments)
        return {"type": "string", "enum": [*choices]} if choices else {"type": "string"}

    def check(self, arguments: Arguments, answer: str) -> str:
        """See Form."""
        choices = self._choices(arguments)
        if choices and answer not in choices:
            raise BadInputError(f"{answer!r} is none of the choices: {', '.join(choices)}")
        if not answer.strip():
            raise BadInputError("the answer is empty")
        return answer

    def _choices(self, arguments: Arguments) -> list[str]:
        offered = arguments.get("choices")
        if self.choices or not isinstance(offered, list):
            return [*self.choices]
        return [str(one) for one in offered]


@dataclass(frozen=True, slots=True)
class Filled:
    """A form: the answer is JSON that fits a pydantic model."""

    model: type[BaseModel]

    def schema(self, arguments: Arguments) -> dict[str, JsonValue]:
        """See Form."""
        del arguments
        return self.model.model_json_schema(schema_generator=SecretSchema)

    def check(self, arguments: Arguments, answer: str) -> str:
        """See Form."""
        del arguments
        try:
            filled = self.model.model_validate_json(answer)
        except ValidationError as error:
            raise BadInputError(f"the answer does not fit the form: {_faults(error)}") from error
        secret = secret_paths(self.model.model_json_schema(schema_generator=SecretSchema))
        values = written_down(filled) if secret else filled.model_dump(mode="json")
        try:
            require_canonical(values)
        except ValueError as error:
            raise BadInputError(f"the answer cannot be written down: {error}") from error
        return orjson.dumps(values).decode()


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in fault['loc']) or 'the answer'}: {fault['msg']}"
        for fault in error.errors()
    )
