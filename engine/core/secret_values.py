"""Pydantic's secret types: said so in a schema, and written down as they are."""

from functools import cache
from typing import Any

from pydantic import BaseModel, JsonValue, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

_OPENED = (SecretStr, SecretBytes, Secret)


class SecretSchema(GenerateJsonSchema):
    """A JSON Schema in which `Secret[...]` is marked as secret, as SecretStr is."""

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        """See GenerateJsonSchema."""
        said = super().json_or_python_schema(schema)
        is_secret = _writer(schema) is not None and _writer(schema) == _writer_of_secrets()
        return {**said, "writeOnly": True} if is_secret else said

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """See GenerateJsonSchema; a secret's default is not said."""
        said = super().default_schema(schema)
        if isinstance(schema.get("default"), _OPENED):
            said.pop("default", None)
        return said


def written_down(model: BaseModel) -> dict[str, JsonValue]:
    """The model's fields as JSON values, secrets as they are; ValueError for bytes of no text.

    A secret that was left out stays so: its default is the author's, and holds when it is read.
    """
    shown = model.model_dump(mode="json", by_alias=True)
    plain = _opened(model.model_dump(mode="python", by_alias=True), shown)
    given = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {name: value for name, value in plain.items() if name in given or value == shown[name]}


def _opened(value: Any, shown: Any) -> Any:  # noqa: ANN401 # whatever an author's types hold
    """What is shown of a value, with the secrets in it as they are."""
    if isinstance(value, _OPENED):
        return _inside(value.get_secret_value())
    if isinstance(value, dict) and isinstance(shown, dict) and len(value) == len(shown):
        pairs = zip(value.items(), shown.items(), strict=True)
        return {_key(key, name): _opened(item, as_shown) for (key, item), (name, as_shown) in pairs}
    several = isinstance(value, list | tuple | set | frozenset)
    if several and isinstance(shown, list) and len(value) == len(shown):
        return [_opened(item, as_shown) for item, as_shown in zip(value, shown, strict=True)]
    return shown


def _key(key: object, shown: str) -> str:
    return str(_inside(key.get_secret_value())) if isinstance(key, _OPENED) else shown


def _inside(secret: object) -> Any:  # noqa: ANN401 # whatever it holds
    if isinstance(secret, bytes):
        return secret.decode()
    adapter = TypeAdapter(object)
    return _opened(adapter.dump_python(secret), adapter.dump_python(secret, mode="json"))


def _writer(schema: Any) -> object:  # noqa: ANN401 # a core schema of any kind
    return schema.get("serialization", {}).get("function")


@cache
def _writer_of_secrets() -> object:
    """The function by which pydantic writes every `Secret[...]`."""
    return _writer(TypeAdapter(Secret[int]).core_schema)
