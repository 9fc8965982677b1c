"""What becomes of one call of the open turn."""

from datetime import datetime

from engine.core import events as ev
from engine.core.canonical import action_digest, idempotency_key, parse_object
from engine.core.effects import Park, Reconcile
from engine.core.messages import Arguments
from engine.core.run import Call, Run
from engine.core.schema import ArgumentsError
from engine.core.workflow import Tool, Workflow

Judgement = ev.ToolFailed | ev.ToolStarted | ev.ApprovalRequested | Reconcile | Park


def judge(run: Run, workflow: Workflow, call: Call, now: datetime) -> Judgement:
    """Refuse the call, start it, ask a person, look up what came of it, or wait."""
    tool = workflow.tool(call.tool)
    if call.status in ("started", "interrupted"):
        return _doubt(run, workflow, call, now)
    if changed := _changed(run, call, tool):
        return changed
    if tool is None:
        known = ", ".join(one.name for one in workflow.tools) or "none"
        words = f"There is no tool {call.tool!r}. The tools are: {known}."
        return ev.ToolFailed(call_id=call.id, error=words)
    if call.error and call.attempt >= workflow.limits.max_attempts:
        words = f"Not executed, after {call.attempt} attempts: {call.error}"
        return ev.ToolFailed(call_id=call.id, error=words)
    if _waits(run, call, now):
        return Park(until=call.retry_at)
    return _start(run, call, tool)


def _waits(run: Run, call: Call, now: datetime) -> bool:
    """Whether the next attempt is to be made later; a clock that was set back is not waited for."""
    return call.retry_at is not None and run.updated_at <= now < call.retry_at


def _start(run: Run, call: Call, tool: Tool) -> Judgement:
    try:
        arguments = call.arguments
        if arguments is None:
            arguments = tool.validate(run.tool_call(call.id).function.arguments)
    except ArgumentsError as error:
        return ev.ToolFailed(call_id=call.id, error=f"Invalid arguments for {tool.name}: {error}")
    digest = tool.digest(arguments)
    granted = call.status == "granted" and call.digest == digest
    if granted or (call.status == "requested" and not tool.needs_approval):
        return _intent(run, call, tool, arguments, call.attempt + 1)
    in_doubt = call.attempt > 0 and call.error is None
    return ev.ApprovalRequested(
        approval_id="",
        approval_kind="in_doubt" if in_doubt else "tool_call",
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        digest=digest,
    )


def _doubt(run: Run, workflow: Workflow, call: Call, now: datetime) -> Judgement:
    """What becomes of a call that is found started, whatever today's code makes of it.

    It has lost its result, since a live call gets its own before anything is decided:
    it is looked up where the tool offers that, and only a repeatable tool goes again,
    with the arguments that it was started with.
    """
    tool = workflow.tool(call.tool)
    arguments = call.arguments or {}
    if tool is not None and tool.reconcile is not None and not call.reconciled:
        return Reconcile((_intent(run, call, tool, arguments, call.attempt),))
    why_not = _why_not_again(run, call, tool, workflow.limits.max_attempts, now)
    if why_not is None and tool is not None:
        if _waits(run, call, now):
            return Park(until=call.retry_at)
        return _intent(run, call, tool, arguments, call.attempt + 1)
    return ev.ApprovalRequested(
        approval_id="",
        approval_kind="in_doubt",
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        digest=action_digest(call.tool, arguments, tool.parameters if tool else {}),
        reason=f"{call.error or 'its driver stopped while it ran'}; {why_not}",
    )


def _why_not_again(  # noqa: PLR0911 # a reason a line
    run: Run, call: Call, tool: Tool | None, most: int, now: datetime
) -> str | None:
    """Why a call in doubt is not simply started again; None where it is."""
    if tool is None:
        return "the tool is gone"
    if not tool.repeatable:
        return "the tool may not be repeated unasked"
    if call.repeats != tool.repeats:
        return "the tool could not be repeated so when it was started"
    if run.tools.get(call.tool, tool.schema_digest) != tool.schema_digest:
        return "the tool has another schema since"
    if tool.needs_approval and call.approval_id is None:
        return "the tool needs approval now"
    if call.attempt >= most:
        return f"it was started {call.attempt} times"
    if tool.key_ttl is not None and call.started_at is not None:
        age = (now - call.started_at).total_seconds()
        if not 0 <= age <= tool.key_ttl:  # below 0: the clock was set back, so nobody knows
            return f"its key may be forgotten after {tool.key_ttl:g} s"
    return None


def _changed(run: Run, call: Call, tool: Tool | None) -> ev.ApprovalRequested | None:
    """The question whether a call may go on, where its tool is no longer what the model saw."""
    known, today = run.tools.get(call.tool), tool and tool.schema_digest
    if known is None or known == today:
        return None
    arguments = _as_asked(run, call)
    digest = action_digest(call.tool, arguments, tool.parameters if tool else {})
    if call.accepted == digest:
        return None
    how = "has another schema than" if tool else "is gone from the workflow"
    return ev.ApprovalRequested(
        approval_id="",
        approval_kind="changed",
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        digest=digest,
        reason=f"the tool {call.tool} {how} {'when' if tool else 'since'} the model asked for it",
    )


def _as_asked(run: Run, call: Call) -> Arguments:
    """The arguments as the model wrote them; none where they are no JSON object."""
    try:
        return parse_object(run.tool_call(call.id).function.arguments or "{}")
    except ValueError:
        return {}


def _intent(run: Run, call: Call, tool: Tool, arguments: Arguments, attempt: int) -> ev.ToolStarted:
    return ev.ToolStarted(
        call_id=call.id,
        tool=call.tool,
        arguments=arguments,
        attempt=attempt,
        idempotency_key=idempotency_key(run.id, call.id),
        approval_id=call.approval_id,
        repeats=tool.repeats,
    )
