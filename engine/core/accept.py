"""What a person may ask of a run, and the events that follow; or a clear refusal."""

import re
from typing import assert_never

from engine.core import events as ev
from engine.core.clean import clean_text
from engine.core.commands import Abort, Approve, Command, Deny, Start
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

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def accept(run: Run | None, workflow: Workflow, command: Command) -> tuple[ev.Event, ...]:
    """The events that `command` brings about.

    Raises BadInputError or RefusedError, and then nothing has changed.
    """
    _require_text(command)
    if isinstance(command, Start):
        return _start(run, workflow, command)
    if run is None:
        raise RefusedError("the run has not been started")
    match command:
        case Approve():
            open_one = _open(run, command.call_id, "approve")
            return (
                ev.ApprovalGranted(
                    approval_id=open_one.approval_id,
                    call_id=open_one.call_id,
                    digest=open_one.digest,
                    by=_named(command.by),
                    note=command.note,
                ),
            )
        case Deny():
            open_one = _open(run, command.call_id, "deny")
            return (
                ev.ApprovalDenied(
                    approval_id=open_one.approval_id,
                    call_id=open_one.call_id,
                    digest=open_one.digest,
                    by=_named(command.by),
                    reason=command.reason,
                ),
            )
        case Abort():
            return _abort(run, command)
        case other:
            assert_never(other)


def _start(run: Run | None, workflow: Workflow, command: Start) -> tuple[ev.Event, ...]:
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
        ),
    )


def _abort(run: Run, command: Abort) -> tuple[ev.Event, ...]:
    if run.state in ENDED:
        raise RefusedError(f"run {run.id} is {run.state} already; there is nothing to abort")
    reason = command.reason or "no reason given"
    by = _named(command.by)
    return (ev.RunAborted(reason=f"aborted by {by}: {reason}", by=by, found=found_so_far(run)),)


def _open(run: Run, call_id: str | None, verb: str) -> Approval:
    """The one open approval that is meant."""
    if not run.approvals:
        raise RefusedError(
            f"run {run.id} is {run.state} and waits for no verdict any more; "
            f"there is nothing to {verb}"
        )
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
    )


def _require_text(command: Command) -> None:
    for name, value in command:
        if isinstance(value, str) and clean_text(value) != value:
            raise BadInputError(f"{name} holds bytes that are no text")


def _named(by: str) -> str:
    if not by.strip():
        raise BadInputError("say who decides: by is empty")
    return by
