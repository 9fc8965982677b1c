"""Where in arguments secrets stand, as a schema says it."""

from typing import Any

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from engine import tool
from engine.core.masking import Mask
from engine.core.secret_paths import below, secret_paths
from engine.core.tool import Tool

HIDDEN: dict[str, Any] = {"type": "string", "writeOnly": True}


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("properties", "paths"),
    [
        ({"a": {"type": "string"}}, ()),
        ({"a": HIDDEN, "b": {"type": "string", "format": "password"}}, ("a", "b")),
        ({"a": {"anyOf": [HIDDEN, {"type": "null"}]}}, ("a",)),
        ({"a": {"oneOf": [{"allOf": [HIDDEN]}]}}, ("a",)),
        ({"a": {"items": HIDDEN}}, ("a.*",)),
        ({"a": {"prefixItems": [{"type": "string"}, HIDDEN]}}, ("a.*",)),
        ({"a": {"additionalProperties": HIDDEN}}, ("a.*",)),
        ({"a": {"patternProperties": {"^x": schema(b=HIDDEN)}}}, ("a.*.b",)),
        ({"a": {"propertyNames": HIDDEN}}, ("a",)),
        ({"a": schema(b=schema(c=HIDDEN), d={"type": "string"})}, ("a.b.c",)),
        ({"a": {"if": {}, "then": schema(b=HIDDEN)}}, ("a.b",)),
        ({"a": {"$ref": "#/$defs/no/such"}, "b": {"$ref": "http://x/y"}}, ()),
        ({"a": True, "b": {"items": [], "anyOf": {}, "properties": []}}, ()),
    ],
)
def test_what_is_only_written_is_secret(properties: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert secret_paths(schema(**properties)) == paths


def test_a_schema_that_refers_to_itself_is_followed_once() -> None:
    node = schema(key=HIDDEN, next={"$ref": "#/$defs/node"}, all={"items": {"$ref": "#/$defs/b"}})
    b = schema(pin=HIDDEN, back={"$ref": "#/$defs/node"})
    whole = {**schema(top={"$ref": "#/$defs/node"}), "$defs": {"node": node, "b": b}}
    paths = secret_paths(whole)
    value = {"key": "1", "next": {"next": {"key": "2", "x": "3"}}, "all": [{"pin": "4", "y": "5"}]}
    assert Mask().value({"top": value, "key": "6"}, paths) == {
        "top": {
            "key": "***",
            "next": {"next": {"key": "***", "x": "3"}},
            "all": [{"pin": "***", "y": "5"}],
        },
        "key": "6",
    }


def test_a_schema_that_is_itself_its_item_comes_to_an_end() -> None:
    assert secret_paths({"properties": {"a": {"$ref": "#"}, "b": HIDDEN}}) == ("a.**.b", "b")
    assert secret_paths({"properties": {"a": {"$ref": "#/properties/a"}}}) == ()


def test_all_is_secret_in_a_schema_that_is_too_entangled() -> None:
    names = [f"n{place}" for place in range(12)]
    defs = {
        name: schema(**{other: {"$ref": f"#/$defs/{other}"} for other in names}) for name in names
    }
    defs["n3"]["properties"]["pin"] = HIDDEN
    whole = {**schema(a={"$ref": "#/$defs/n0"}, b={"type": "string"}), "$defs": defs}
    assert secret_paths(whole) == ("a", "b")


@pytest.mark.parametrize(
    ("paths", "name", "left"),
    [
        (("a", "b.c", "*.d"), "a", ("", "d")),
        (("a", "b.c", "*.d"), "b", ("c", "d")),
        (("*", "a.*"), None, ("",)),
        (("a.b",), "a.b", ("",)),
        (("**.a",), "x", ("**.a",)),
        (("**.a",), "a", ("**.a", "")),
    ],
)
def test_paths_are_followed_down(
    paths: tuple[str, ...], name: str | None, left: tuple[str, ...]
) -> None:
    assert sorted(below(paths, name)) == sorted(left)


class Card(BaseModel):
    number: SecretStr
    owner: str


class Tree(BaseModel):
    key: SecretStr
    kids: list["Tree"] = []


def test_every_secret_type_of_pydantic_is_found() -> None:
    @tool
    def act(  # noqa: PLR0913, PLR0917 # a parameter for each type
        plain: str,
        one: SecretStr,
        raw: SecretBytes,
        number: Secret[int],
        card: Card | None = None,
        many: list[SecretStr] = [],  # noqa: B006 # as authors write them
        named: dict[str, Secret[Card]] | None = None,
        tree: Tree | None = None,
    ) -> None:
        """Act."""

    expected = ("card.number", "many.*", "named.*", "number", "one", "raw", "tree.**.key")
    assert act.secrets == expected
    assert "default" not in str(act.parameters["properties"]["one"])  # type: ignore[index, call-overload] # it is an object


def test_a_parameter_of_a_telling_name_is_secret() -> None:
    named = Tool(
        name="act",
        description="",
        parameters=schema(Password={"type": "string"}, apiKey={}, user={}),
        function=print,
    )
    assert named.secrets == ("Password", "apiKey")
