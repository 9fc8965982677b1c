"""Text that any file and wire can hold: each lone surrogate becomes U+FFFD."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue


def clean_text(text: str) -> str:
    """The text without lone surrogates."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_value(value: "JsonValue") -> "JsonValue":
    """The JSON value with every text in it clean."""
    match value:
        case str():
            return clean_text(value)
        case list() | tuple():
            return [clean_value(one) for one in value]
        case dict():
            return {clean_text(key): clean_value(one) for key, one in value.items()}
        case _:
            return value
