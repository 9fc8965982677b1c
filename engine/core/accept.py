"""What a person may ask of a run, and the events that follow; or a clear refusal."""

import re
from typing import assert_never

from engine.core import events as ev
from engine.core.clean import clean_text
from engine.core.commands import Abort, AcceptChanges, Answer, Approve, Command, Deny, Start
from engine.core.found import found_so_far
from engine.core.run import Approval, Run
from engine.core.states import ENDED
from engine.core.workflow import Workflow
from engine.errors import (
    AmbiguousCallError,
    BadInputError,
    RefusedError,
    RunExistsError,
    UnknownCallError,
)

_SHORT_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def accept(run: Run | None, workflow: Workflow | None, command: Command) -> tuple[ev.Event, ...]:
    """The events that `command` brings about; only a start needs its workflow.

    Raises BadInputError or RefusedError, and then nothing has changed.
    """
    _require_text(command)
    if isinstance(command, Start):
        return _start(run, workflow, command)
    if run is None:
        raise RefusedError("the run has not been started")
    match command:
        case Approve():
            return (_grant(run, command),)
        case Deny():
            return (_deny(run, command),)
        case Answer():
            return (_answer(run, command),)
        case AcceptChanges():
            return _accept_changes(run, command)
        case Abort():
            return _abort(run, command)
        case other:
            assert_never(other)


def _grant(run: Run, command: Approve) -> ev.ApprovalGranted:
    asked = _open(run, command, "approve")
    if asked.kind == "changed":
        raise RefusedError(
            f"{asked.reason}; accept the changes (resume --accept-changes), answer, or deny"
        )
    if asked.kind == "in_doubt" and not command.retry:
        raise RefusedError(
            f"it is not known whether {asked.tool} happened ({asked.reason}); "
            "say that it shall run again (--retry), answer with its result, or deny"
        )
    if asked.kind == "tool_call" and command.retry:
        raise RefusedError(f"{asked.tool} is not in doubt, so there is nothing to retry")
    return _granted(asked, command.by, command.note)


def _granted(asked: Approval, by: str, note: str | None = None) -> ev.ApprovalGranted:
    return ev.ApprovalGranted(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=_named(by),
        note=note,
    )


def _deny(run: Run, command: Deny) -> ev.ApprovalDenied:
    asked = _open(run, command, "deny")
    return ev.ApprovalDenied(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=_named(command.by),
        reason=command.reason,
    )


def _answer(run: Run, command: Answer) -> ev.ApprovalAnswered:
    asked = _open(run, command, "answer")
    return ev.ApprovalAnswered(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=_named(command.by),
        content=command.result,
        note=command.note,
    )


def _accept_changes(run: Run, command: AcceptChanges) -> tuple[ev.Event, ...]:
    changed = [one for one in run.approvals if one.kind == "changed"]
    if not changed:
        raise RefusedError(f"run {run.id} waits for no one to accept changes")
    return tuple(_granted(one, command.by) for one in changed)


def _start(run: Run | None, workflow: Workflow | None, command: Start) -> tuple[ev.Event, ...]:
    if workflow is None:
        raise BadInputError("say which workflow is to be started")
    if run is not None:
        raise RunExistsError(f"there is a run {run.id} already; it is {run.state}")
    if not _RUN_ID.fullmatch(command.run_id):
        raise BadInputError(
            f"{command.run_id!r} is no run id: 1 to 100 letters, digits, _, ., : or -"
        )
    if not command.message.strip():
        raise BadInputError("the message is empty; say what the run is about")
    return (
        ev.RunStarted(
            run_id=command.run_id,
            workflow=workflow.name,
            instructions=workflow.instructions,
            message=command.message,
            definition=workflow.definition,
            tools=workflow.schemas,
            by=None if command.by is None else _named(command.by),
        ),
    )


def _abort(run: Run, command: Abort) -> tuple[ev.Event, ...]:
    if run.state in ENDED:
        raise RefusedError(f"run {run.id} is {run.state} already; there is nothing to abort")
    reason = command.reason or "no reason given"
    by = _named(command.by)
    return (ev.RunAborted(reason=f"aborted by {by}: {reason}", by=by, found=found_so_far(run)),)


def _open(run: Run, command: Approve | Deny | Answer, verb: str) -> Approval:
    """The one open approval that is meant, for the action that the person saw."""
    asked = _meant(run, command.call_id, verb)
    seen = command.digest
    if seen is None:
        return asked
    if not _SHORT_DIGEST.fullmatch(seen):
        raise BadInputError(f"{seen!r} is no digest: 8 to 64 of the characters 0-9 and a-f")
    if not asked.digest.startswith(seen):
        raise RefusedError(
            f"{asked.tool} ({asked.call_id}) waits with another action than the one of {seen}: "
            f"it is {asked.digest[:12]} by now; look at it again (approvals)"
        )
    return asked


def _meant(run: Run, call_id: str | None, verb: str) -> Approval:
    if not run.approvals:
        words = f"there is nothing to {verb}{_said(run, call_id)}"
        if run.state not in ENDED:
            words += "; go on with it first (resume): it asks if it has to"
        raise RefusedError(f"run {run.id} is {run.state} and waits for no verdict; {words}")
    waiting = ", ".join(f"{one.call_id} ({one.tool})" for one in run.approvals)
    if call_id is None:
        if len(run.approvals) > 1:
            raise AmbiguousCallError(f"run {run.id} waits for several calls; name one: {waiting}")
        return run.approvals[0]
    for one in run.approvals:
        if one.call_id == call_id:
            return one
    raise UnknownCallError(
        f"run {run.id} waits for no verdict on call {call_id!r}; it waits for: {waiting}"
        f"{_said(run, call_id)}"
    )


def _said(run: Run, call_id: str | None) -> str:
    """Who decided already on that call, or on the last one."""
    said = [one for one in run.verdicts if call_id in (None, one.call_id)]
    if not said:
        return ""
    last = said[-1]
    return f" ({last.call_id} was {last.verdict} by {last.by} at {last.at:%Y-%m-%d %H:%M:%S} UTC)"


def _require_text(command: Command) -> None:
    for name, value in command:
        if isinstance(value, str) and clean_text(value) != value:
            raise BadInputError(f"{name} holds bytes that are no text")


def _named(by: str) -> str:
    if not by.strip():
        raise BadInputError("say who decides: by is empty")
    return by
