"""Text that any file and wire can hold."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue


def clean_text(text: str) -> str:
    """The text with U+FFFD in the place of each lone surrogate."""
    if text.isascii():  # mostly
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def error_words(error: BaseException) -> str:
    """What an exception says, even one that cannot say it."""
    try:
        return clean_text(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001 # a tool's own __str__ may do anything
        return type(error).__name__


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
