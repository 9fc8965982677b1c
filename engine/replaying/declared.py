"""What today's workflow declares, beside what the recorded run was begun with."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.commands import Start
from engine.core.messages import Arguments
from engine.core.schema import ArgumentsError
from engine.core.tool import Tool
from engine.core.workflow import Workflow
from engine.errors import BadInputError, EngineError
from engine.replaying.divergence import Divergence, diff_of
from engine.replaying.said import PERMISSIVE


class _Told(NamedTuple):
    """The event that last said which schemas the run's tools have."""

    seq: int
    event: ev.RunStarted | ev.WorkflowChanged


def declared_otherwise(journal: Sequence[ev.Recorded], workflow: Workflow) -> Divergence | None:
    """How the beginning differs: the instructions, then the schemas of the tools.

    What the journal does not say (the first ones said nothing of tools) is not compared.
    """
    begun = journal[0].event
    if not isinstance(begun, ev.RunStarted):
        return None  # the fold refuses it
    if begun.workflow != workflow.name:
        words = f"is one of the workflow {begun.workflow}, not of {workflow.name}"
        raise BadInputError(f"run {begun.run_id} {words}")
    return _instructions(begun, workflow) or _tools(journal, begun, workflow)


def _instructions(begun: ev.RunStarted, workflow: Workflow) -> Divergence | None:
    command = Start(run_id=begun.run_id, message=begun.message, by=begun.by)
    try:
        (today,) = accept(None, workflow, command, PERMISSIVE)
    except EngineError as error:
        return _at(_Told(1, begun), begun, "the run was started", f"today's code refuses: {error}")
    if not isinstance(today, ev.RunStarted) or today.instructions == begun.instructions:
        return None
    diff = diff_of(begun.instructions, today.instructions)
    expected = "the run was begun with other instructions"
    return _at(_Told(1, begun), begun, expected, "today's are others", diff)


def _tools(
    journal: Sequence[ev.Recorded], begun: ev.RunStarted, workflow: Workflow
) -> Divergence | None:
    told = [
        _Told(one.seq, one.event)
        for one in journal
        if isinstance(one.event, ev.RunStarted | ev.WorkflowChanged) and one.event.definition
    ]
    if not told:
        return None
    known, today = told[-1].event.tools, workflow.schemas
    for name in sorted({*known, *today}, key=lambda one: (one not in known, one)):
        if known.get(name) != today.get(name):
            tool = workflow.tool(name)
            if tool is None:
                there = f"the tool {name} was there"
                return _at(told[-1], begun, there, "it is gone from today's workflow")
            if name not in known:
                there = f"there was no tool {name}"
                return _at(told[-1], begun, there, "there is one in today's workflow")
            return _other_schema(journal, begun, told[-1], tool)
    return None


def _other_schema(
    journal: Sequence[ev.Recorded], begun: ev.RunStarted, told: _Told, tool: Tool
) -> Divergence:
    """The schema, and the first of the recorded calls that it reads otherwise."""
    had = f"the tool {tool.name} had another schema ({told.event.tools[tool.name]})"
    has = f"it is {tool.schema_digest} today"
    for call_id, text, before in _asked_for(journal, tool.name):
        try:
            now = tool.validate(text)
        except ArgumentsError as error:
            return _at(told, begun, had, f"{has}, and no longer takes {call_id}: {error}")
        if before is not None and now != before:
            return _at(told, begun, had, f"{has}, and reads {call_id} so", diff_of(before, now))
    return _at(told, begun, had, f"{has}, and reads what the run asked for as it did")


def _asked_for(
    journal: Sequence[ev.Recorded], tool: str
) -> Iterator[tuple[str, str, Arguments | None]]:
    """Each call of the tool: its id, what the model wrote, and how that was first read."""
    read: dict[str, Arguments] = {}
    for one in journal:
        if isinstance(one.event, ev.ToolStarted | ev.ApprovalRequested):
            read.setdefault(one.event.call_id, one.event.arguments)
    for one in journal:
        if isinstance(one.event, ev.ToolsRequested):
            for call in one.event.message.tool_calls:
                if call.function.name == tool:
                    yield call.id, call.function.arguments, read.get(call.id)


def _at(
    told: _Told, begun: ev.RunStarted, expected: str, got: str, diff: str | None = None
) -> Divergence:
    return Divergence(
        run_id=begun.run_id,
        turn=0,
        seq=told.seq,
        kind=told.event.kind,
        expected=expected,
        got=got,
        diff=diff,
    )
