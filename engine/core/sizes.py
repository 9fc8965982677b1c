"""How many tokens a text is, where no model has counted it."""

from collections.abc import Sequence

from engine.core.messages import Message
from engine.core.run import Run
from engine.core.tool import Tool

_CHARACTERS_A_TOKEN = 3  # of English it is about 4; less text than thought is the safer error
_TOKENS_A_MESSAGE = 4  # its role and its ends


def tokens_in(messages: Sequence[Message]) -> int:
    """About how many tokens the messages are, rather too many than too few."""
    return sum(_TOKENS_A_MESSAGE + -(-_characters(one) // _CHARACTERS_A_TOKEN) for one in messages)


def tokens_of(tools: Sequence[Tool]) -> int:
    """About how many tokens the tools take that a model is told of."""
    said = sum(len(one.name) + len(one.description) + len(str(one.parameters)) for one in tools)
    return -(-said // _CHARACTERS_A_TOKEN)


def next_input(run: Run) -> int:
    """About how many tokens the model reads next: as it counted them last, and what is new."""
    return run.context_tokens + tokens_in(run.messages[run.context_messages :])


def _characters(message: Message) -> int:
    said = len(message.content or "")
    for call in message.tool_calls:
        said += len(call.function.name) + len(call.function.arguments)
    return said
