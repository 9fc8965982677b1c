"""What a run does next. Pure: the same run, workflow and time give the same effect."""

from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.canonical import idempotency_key
from engine.core.effects import CallModel, CallTools, Effect, Park, Record
from engine.core.found import found_so_far
from engine.core.messages import Arguments
from engine.core.run import Call, Run
from engine.core.schema import ArgumentsError
from engine.core.states import State
from engine.core.workflow import Tool, Workflow


def decide(run: Run, workflow: Workflow, now: datetime) -> Effect:
    """The next effect of `run`, as its newest event left it."""
    match run.state:
        case State.AwaitingModel:
            return _next_turn(run, workflow, now)
        case State.DispatchingTools:
            return _dispatch(run, workflow)
        case State.AwaitingApproval:
            return Park() if run.approvals else Record((ev.ApprovalsSettled(),))
        case State.Done | State.Aborted:
            return Park()
        case other:
            assert_never(other)


def _next_turn(run: Run, workflow: Workflow, now: datetime) -> Effect:
    limits = workflow.limits
    if run.failures >= limits.max_attempts:
        reason = f"the model failed {run.failures} times in a row, at last with: {run.failure}"
        return _stop(run, "max_attempts", reason)
    if run.turns >= limits.max_turns:
        return _stop(run, "max_turns", f"the limit max_turns={limits.max_turns} is reached")
    if run.retry_at and run.retry_at > now:
        return Park(until=run.retry_at)
    return CallModel(turn=run.turns + 1, attempt=run.failures + 1)


def _stop(run: Run, limit: str, reason: str) -> Record:
    return Record((ev.RunAborted(reason=reason, limit=limit, found=found_so_far(run)),))


def _dispatch(run: Run, workflow: Workflow) -> Effect:
    """Refuse what cannot run, run what may, ask about the rest; then the turn is settled."""
    judged = [_judge(run, workflow, call) for call in run.calls if call.status != "settled"]
    if refusals := tuple(one for one in judged if isinstance(one, ev.ToolFailed)):
        return Record(refusals)
    if intents := tuple(one for one in judged if isinstance(one, ev.ToolStarted)):
        return CallTools(intents)
    if requests := tuple(one for one in judged if isinstance(one, ev.ApprovalRequested)):
        return Record(_numbered(run, requests))
    return Record((ev.ToolsSettled(),))


def _judge(
    run: Run, workflow: Workflow, call: Call
) -> ev.ToolFailed | ev.ToolStarted | ev.ApprovalRequested:
    tool = workflow.tool(call.tool)
    if tool is None:
        known = ", ".join(one.name for one in workflow.tools) or "none"
        return ev.ToolFailed(
            call_id=call.id, error=f"There is no tool {call.tool!r}. The tools are: {known}."
        )
    try:
        arguments = tool.validate(run.tool_call(call.id).function.arguments)
    except ArgumentsError as error:
        return ev.ToolFailed(call_id=call.id, error=f"Invalid arguments for {tool.name}: {error}")
    if _may_run(call, tool, arguments):
        return _intent(run, call, arguments)
    return ev.ApprovalRequested(
        approval_id="",
        approval_kind="in_doubt" if call.attempt else "tool_call",
        call_id=call.id,
        tool=tool.name,
        arguments=arguments,
        digest=tool.digest(arguments),
    )


def _may_run(call: Call, tool: Tool, arguments: Arguments) -> bool:
    """Whether the call may start now.

    A call found started has lost its result, since a live one gets it before
    anything is decided: it is in doubt, and only a repeatable tool goes again.
    """
    if call.status == "granted":
        return call.digest == tool.digest(arguments)
    if call.status == "started":
        return tool.repeatable
    return not tool.needs_approval


def _intent(run: Run, call: Call, arguments: Arguments) -> ev.ToolStarted:
    return ev.ToolStarted(
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        attempt=call.attempt + 1,
        idempotency_key=idempotency_key(run.id, call.id),
        approval_id=call.approval_id,
    )


def _numbered(run: Run, requests: tuple[ev.ApprovalRequested, ...]) -> tuple[ev.Event, ...]:
    return tuple(
        request.model_copy(update={"approval_id": f"approval_{number}"})
        for number, request in enumerate(requests, run.asked + 1)
    )
