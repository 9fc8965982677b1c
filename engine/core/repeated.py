"""Whether a verdict was given already: delivered twice, it is one."""

from typing import assert_never

import orjson

from engine.core.approvers import person
from engine.core.commands import Answer, Approve, Deny, VerdictCommand
from engine.core.run import Approval, Run, Verdict
from engine.core.tool import Tool
from engine.core.workflow import Workflow
from engine.errors import BadInputError


def is_given_already(run: Run, workflow: Workflow | None, command: VerdictCommand) -> bool:
    """Whether this is the verdict that was given on a closed approval, delivered once more."""
    if any(names(command, asked) for asked in run.approvals):
        return False
    return any(
        names(command, said) and _same(run, workflow, said, command) for said in run.verdicts
    )


def names(command: VerdictCommand, one: Approval | Verdict) -> bool:
    """Whether the command can mean it; one that names nothing can mean anything."""
    ids = ((command.approval_id, one.approval_id), (command.call_id, one.call_id))
    return all(wanted in (None, found) for wanted, found in ids)


def _same(run: Run, workflow: Workflow | None, said: Verdict, command: VerdictCommand) -> bool:
    if person(said.by) != person(command.by) or said.note != command.note:
        return False
    # An edited action has another digest than the one that its editor saw.
    if said.arguments is None and not said.digest.startswith(command.digest or ""):
        return False
    match command:
        case Approve():
            same = said.verdict == "granted" and command.retry == (said.kind == "in_doubt")
            return same and _same_action(run, workflow, said, command) and _remembers(run, command)
        case Deny():
            return said.verdict == "denied" and said.said == command.reason
        case Answer():
            return said.verdict == "answered" and _same_answer(run, workflow, said, command)
        case other:
            assert_never(other)


def _same_action(run: Run, workflow: Workflow | None, said: Verdict, command: Approve) -> bool:
    """Whether the arguments that it brings, if any, make the action that was granted."""
    if command.arguments is None:
        return said.arguments is None
    tool = _tool(run, workflow, said)
    if tool is None or workflow is None:
        return said.arguments == command.arguments
    try:
        arguments = tool.validate(orjson.dumps(command.arguments).decode())
    except (TypeError, ValueError):
        return False
    return tool.digest(arguments, workflow.demand(tool.name, arguments, run)) == said.digest


def _remembers(run: Run, command: Approve) -> bool:
    """Whether the rule that it brings, if any, is there."""
    by = person(command.by)
    rules = [rule.when for rule in run.rules if person(rule.by) == by]
    return command.remember is None or command.remember in rules


def _same_answer(run: Run, workflow: Workflow | None, said: Verdict, command: Answer) -> bool:
    """Whether it is the same text, or fills the same form alike."""
    tool = _tool(run, workflow, said)
    if command.result == said.said or tool is None or tool.form is None:
        return command.result == said.said
    try:
        return tool.form.check({}, command.result) == said.said
    except BadInputError:
        return False


def _tool(run: Run, workflow: Workflow | None, said: Verdict) -> Tool | None:
    """The tool of the call that was decided on, as it is today."""
    for message in reversed(run.messages):
        for call in message.tool_calls:
            if call.id == said.call_id:
                return workflow.tool(call.function.name) if workflow else None
    return None
