"""The transcript's shapes, in the wire form of Chat Completions.

Fields that an endpoint adds of its own (reasoning, signatures) are kept, because
some endpoints refuse a conversation that comes back without them.
"""

from typing import Literal, Self

from pydantic import ConfigDict, JsonValue

from engine.core.shape import Shape

Arguments = dict[str, JsonValue]


class FunctionCall(Shape):
    """Which function a model wants called, and the arguments as the JSON text it wrote."""

    model_config = ConfigDict(extra="allow")

    name: str
    arguments: str


class ToolCall(Shape):
    """One call that a model asks for."""

    model_config = ConfigDict(extra="allow")

    id: str = ""  # a model's may be missing; the engine gives its own
    type: Literal["function"] = "function"
    function: FunctionCall


class Message(Shape):
    """One message of the transcript."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    def with_call_ids(self, ids: tuple[str, ...]) -> Self:
        """This message with its calls renamed to `ids`, in order."""
        renamed = tuple(
            call.model_copy(update={"id": call_id})
            for call, call_id in zip(self.tool_calls, ids, strict=True)
        )
        return self.model_copy(update={"tool_calls": renamed})


class ToolResult(Shape):
    """What came of one call: the text, and whether it is an error.

    The model reads the first `shown` characters of it, or all of them (None).
    """

    call_id: str
    content: str
    is_error: bool = False
    shown: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it than the model is shown."""
        return self.shown is not None and self.shown < len(self.content)


class Usage(Shape):
    """Tokens spent. `cached_tokens` are among the input, `reasoning_tokens` among the output."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """The sum, field by field."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )
