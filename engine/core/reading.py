"""The built-in tool by which a model reads the rest of a result that was too long."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from engine.core.cutting import READ_RESULT, cut_at
from engine.core.messages import Arguments, ToolResult
from engine.core.run import Run
from engine.core.schema import ArgumentsError
from engine.core.tool import Tool
from engine.core.tools import tool

_DESCRIPTION = (
    "Read on in the result of an earlier call that was cut. The note at its end says with what."
)


def read_result() -> Tool:
    """A tool that gives the rest of a result of this run that was cut, part by part.

    It is answered from the run's own journal: nothing runs, and nothing is asked. Its name is
    `read_result`, which is what the notes at the ends of cut results say.
    """
    declared = tool(name=READ_RESULT, description=_DESCRIPTION, read_only=True)(_read)
    return replace(declared, from_run=_part)


def _read(call_id: str, offset: Annotated[int, Field(ge=0)] = 0) -> str:
    """Read on.

    Args:
        call_id: Whose result, as its note says
        offset: How many characters of it to pass over
    """
    raise NotImplementedError(call_id, offset)


def _part(run: Run, arguments: Arguments, most: int) -> str:
    result = _result(run, str(arguments["call_id"]))
    begin, whole = arguments["offset"], len(result.content)
    if not isinstance(begin, int) or begin >= whole:
        raise ArgumentsError(f"The result of {result.call_id} has {whole:,} characters, no more.")
    end = cut_at(result.content, begin, most)
    more = "this is its end" if end == whole else f"it goes on at offset={end}"
    note = f"[Characters {begin:,} to {end:,} of {whole:,}; {more}.]"
    return f"{result.content[begin:end]}\n{note}"


def _result(run: Run, call_id: str) -> ToolResult:
    for result in run.long_results:
        if result.call_id == call_id:
            return result
    for message in run.messages:  # one that the model is not sent any more, perhaps
        if message.role == "tool" and message.tool_call_id == call_id:
            return ToolResult(call_id=call_id, content=message.content or "")
    known = ", ".join(result.call_id for result in run.long_results) or "none"
    raise ArgumentsError(f"No result under that call_id was cut. Those that were: {known}.")
