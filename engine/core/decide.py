"""What a run does next. Pure: the same run, workflow and time give the same effect."""

from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.canonical import action_digest, idempotency_key
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
    if call.status == "started":
        return _doubt(run, call, tool)
    if tool is None:
        known = ", ".join(one.name for one in workflow.tools) or "none"
        words = f"There is no tool {call.tool!r}. The tools are: {known}."
        return ev.ToolFailed(call_id=call.id, error=words)
    try:
        arguments = call.arguments
        if arguments is None:
            arguments = tool.validate(run.tool_call(call.id).function.arguments)
    except ArgumentsError as error:
        return ev.ToolFailed(call_id=call.id, error=f"Invalid arguments for {tool.name}: {error}")
    digest = tool.digest(arguments)
    granted = call.status == "granted" and call.digest == digest
    if granted or (call.status == "requested" and not tool.needs_approval):
        return _intent(run, call, arguments)
    return _request(call, arguments, digest)


def _doubt(run: Run, call: Call, tool: Tool | None) -> ev.ToolStarted | ev.ApprovalRequested:
    """What becomes of a call that is found started, whatever today's code makes of it.

    It has lost its result, since a live call gets its own before anything is decided:
    only a repeatable tool goes again, with the arguments that it was started with.
    """
    arguments = call.arguments or {}
    if tool is not None and tool.repeatable:
        return _intent(run, call, arguments)
    schema = tool.parameters if tool else {}
    return _request(call, arguments, action_digest(call.tool, arguments, schema))


def _request(call: Call, arguments: Arguments, digest: str) -> ev.ApprovalRequested:
    return ev.ApprovalRequested(
        approval_id="",
        approval_kind="in_doubt" if call.attempt else "tool_call",
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        digest=digest,
    )


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
