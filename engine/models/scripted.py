"""A model that says what it was told to, for tests and examples."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from engine.core.messages import Message
from engine.core.workflow import ModelReply, ModelRequest
from engine.errors import ModelError

SUMMARY = Message(role="assistant", content="So far all went as the script says.")


class ScriptedModel:
    """Gives its replies in order.

    The one given is that of the run's turn, so that a run goes on rightly in another
    process. A reply is a Chat Completions assistant message, or an exception to raise.
    Where it is to sum up, it says `SUMMARY`.
    """

    def __init__(self, replies: Sequence[Mapping[str, JsonValue] | Message | Exception]) -> None:
        """Take the replies; raises ValueError for one that is no assistant message."""
        self._replies = [
            reply
            if isinstance(reply, Exception | Message)
            else Message.model_validate({"role": "assistant", **reply})
            for reply in replies
        ]

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See ModelClient. Raises ModelError past the last reply."""
        if request.purpose == "summary":
            return ModelReply(SUMMARY)
        said = request.turn - 1
        if said >= len(self._replies):
            raise ModelError(
                f"the script has {len(self._replies)} replies, and reply {said + 1} was asked for"
            )
        reply = self._replies[said]
        if isinstance(reply, Exception):
            raise reply
        return ModelReply(reply, finish_reason="tool_calls" if reply.tool_calls else "stop")
