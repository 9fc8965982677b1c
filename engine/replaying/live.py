"""A model of today, asked what the recorded one was asked; nothing of it is carried out."""

from collections.abc import Iterable

from pydantic import JsonValue

from engine.core import events as ev
from engine.core.canonical import parse_object
from engine.core.evolve import evolve
from engine.core.messages import Message
from engine.core.request import request_of
from engine.core.run import Run
from engine.core.workflow import ModelClient, ModelRequest, Workflow
from engine.errors import BadInputError
from engine.replaying.divergence import Divergence, diff_of, differs_at
from engine.replies import reply_of

_Replied = ev.ToolsRequested | ev.ModelAnswered | ev.AnswerSuperseded


async def rerun_live(
    journal: Iterable[ev.Recorded], workflow: Workflow, model: ModelClient
) -> Divergence | None:
    """The first turn in which `model` asks for other tool calls; None where there is none.

    In each turn it is given the recorded transcript until then, under today's instructions
    and tools. What it says beside its calls is not compared. Raises ModelError where it gives
    no reply, BadInputError for an empty journal, and what the fold raises.
    """
    run: Run | None = None
    for one in journal:
        if run is not None and isinstance(one.event, _Replied):
            differs = await _differs(run, one, one.event, workflow, model)
            if differs:
                return differs
        run = evolve(run, one)
    if run is None:
        raise BadInputError("the journal is empty")
    return None


async def _differs(
    run: Run, one: ev.Recorded, then: _Replied, workflow: Workflow, model: ModelClient
) -> Divergence | None:
    today = (await reply_of(model, _request(run, then, workflow))).message
    if _calls(today) == _calls(then.message):
        return None
    expected = f"the recorded model {_in_words(then.message)}"
    diff = diff_of("\n".join(_lines(then.message)), "\n".join(_lines(today)))
    return differs_at(run, one, expected, f"today's {_in_words(today)}", diff)


def _request(run: Run, then: _Replied, workflow: Workflow) -> ModelRequest:
    seen = run.messages[: then.seen]
    messages = (Message(role="system", content=workflow.instructions), *seen[1:])
    return request_of(run.model_copy(update={"messages": messages}), workflow)


def _calls(message: Message) -> list[tuple[str, JsonValue]]:
    """The calls, by name and arguments; arguments that are no JSON object stay as they are."""
    return [
        (call.function.name, _read(call.function.arguments or "{}")) for call in message.tool_calls
    ]


def _read(text: str) -> JsonValue:
    try:
        return parse_object(text)
    except ValueError:
        return text


def _lines(message: Message) -> list[str]:
    return [f"{call.function.name} {call.function.arguments}" for call in message.tool_calls]


def _in_words(message: Message) -> str:
    names = ", ".join(call.function.name for call in message.tool_calls)
    return f"asked for {names}" if names else "asked for no tool"
