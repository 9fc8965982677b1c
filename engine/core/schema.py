"""Arguments against a schema: from the text a model wrote to the values that would execute."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel, JsonValue, ValidationError

from engine.core.canonical import parse_object, require_canonical
from engine.core.faults import faults_of_model, faults_of_schema
from engine.core.secret_values import written_down
from engine.core.strict import null_means_absent
from engine.errors import DefinitionError


class ArgumentsError(ValueError):
    """The arguments do not fit the tool; the message is for the model."""


class Validator(Protocol):
    """How a tool reads its arguments."""

    def parse(self, text: str) -> dict[str, JsonValue]:
        """The JSON values that would execute; ArgumentsError where `text` does not fit."""
        ...

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, object]:
        """The keyword arguments for the function, from what `parse` gave."""
        ...


class ModelArguments:
    """Arguments read by a pydantic model that was made from a function's signature."""

    def __init__(
        self, model: type[BaseModel], nullable: frozenset[str], *, secret: bool = False
    ) -> None:
        """Take the model, the parameters for which null means: left out; and if any is secret."""
        self._model = model
        self._nullable = nullable
        self._secret = secret

    def parse(self, text: str) -> dict[str, JsonValue]:
        """See Validator."""
        given = _read(text, self._nullable)
        try:
            return self._written_down(given)
        except ValidationError as error:
            raise ArgumentsError(faults_of_model(error, self._names)) from error
        except ArgumentsError:
            raise
        except Exception as error:  # an author's validators may raise anything
            raise ArgumentsError(f"{type(error).__name__}: {error}") from error

    @property
    def _names(self) -> list[str]:
        return [info.alias or name for name, info in self._model.model_fields.items()]

    def _written_down(self, given: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The arguments as JSON values; the function gets what they read as, so that must agree."""
        read = self._model.model_validate(given)
        values = written_down(read) if self._secret else _shown(read)
        require_canonical(values)
        if self._model.model_validate(values) != read:
            raise ArgumentsError("they do not stay the same when written down and read again")
        return values

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, object]:
        """See Validator."""
        bound = self._model.model_validate(arguments)
        return {
            info.alias or name: getattr(bound, name)
            for name, info in self._model.model_fields.items()
        }


class SchemaArguments:
    """Arguments read by an explicit JSON Schema; they reach the function as they are."""

    def __init__(self, tool: str, schema: Mapping[str, JsonValue]) -> None:
        """Take the schema; raises DefinitionError unless it is one, of type object."""
        from jsonschema import Draft202012Validator, SchemaError
        from referencing import Registry

        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            raise DefinitionError(f"tool {tool}: parameters must be a JSON Schema of type object")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise DefinitionError(f"tool {tool}: parameters: {error.message}") from error
        self._validator = Draft202012Validator(schema, registry=Registry())  # fetches nothing
        self._nullable = null_means_absent(schema)
        properties = schema.get("properties")
        self._names = [*properties] if isinstance(properties, dict) else []
        self._try_out(tool)

    def parse(self, text: str) -> dict[str, JsonValue]:
        """See Validator."""
        arguments = _read(text, self._nullable)
        try:
            faults = faults_of_schema(self._validator.iter_errors(arguments), self._names)
        except Exception as error:  # a reference that leads nowhere, or round in circles
            raise ArgumentsError(f"they cannot be checked: {error}") from error
        if faults:
            raise ArgumentsError(faults)
        return arguments

    def _try_out(self, tool: str) -> None:
        try:
            list(self._validator.iter_errors({}))
        except Exception as error:
            raise DefinitionError(f"tool {tool}: parameters: {error}") from error

    def bind(self, arguments: Mapping[str, JsonValue]) -> dict[str, object]:
        """See Validator."""
        return dict(arguments)


def _read(text: str, nullable: frozenset[str]) -> dict[str, JsonValue]:
    """The arguments, without those that a model left out by saying null (see `strict`)."""
    try:
        given = parse_object(text or "{}")
    except ValueError as error:
        raise ArgumentsError(f"malformed JSON: {error}") from error
    return {key: value for key, value in given.items() if value is not None or key not in nullable}


def _shown(read: BaseModel) -> dict[str, JsonValue]:
    return read.model_dump(mode="json", by_alias=True)
