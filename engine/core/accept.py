"""What a person may ask of a run, and the events that follow; or a clear refusal."""

import re
from typing import assert_never

from pydantic import BaseModel

from engine.core import events as ev
from engine.core.approvers import ANYBODY, Authority, named
from engine.core.clean import clean_text
from engine.core.commands import (
    Abort,
    AcceptChanges,
    Answer,
    Approve,
    Command,
    Deny,
    Raise,
    Revoke,
    Seal,
    Send,
    Start,
)
from engine.core.found import found_so_far
from engine.core.raising import raised
from engine.core.run import Run
from engine.core.states import ENDED, State
from engine.core.verdicts import give_verdict, granted
from engine.core.workflow import Workflow
from engine.errors import BadInputError, RefusedError, RunExistsError

Events = tuple[ev.Event, ...]

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")


def accept(  # noqa: PLR0911 # a command a case
    run: Run | None,
    workflow: Workflow | None,
    command: Command,
    by_whom: Authority = ANYBODY,
) -> Events:
    """The events that `command` brings about; none where it is a verdict that was given already.

    What cannot be judged without its workflow is refused where that is None. Raises
    BadInputError or RefusedError, and then nothing has changed.
    """
    require_text(command)
    if isinstance(command, Start):
        return _start(run, workflow, command)
    if run is None:
        raise RefusedError("the run has not been started")
    match command:
        case Approve() | Deny() | Answer():
            return give_verdict(run, workflow, command, by_whom)
        case Revoke():
            return _revoke(run, command, by_whom)
        case Send():
            return _send(run, command)
        case Raise():
            return raised(run, command, by_whom)
        case AcceptChanges():
            return _accept_changes(run, command, by_whom)
        case Abort():
            return _abort(run, command)
        case Seal():
            by_whom.require_known(command.by, "seal a run")
            return (ev.ChainSealed(by=command.by),)
        case other:
            assert_never(other)


def _accept_changes(run: Run, command: AcceptChanges, by_whom: Authority) -> Events:
    changed = [one for one in run.approvals if one.kind == "changed"]
    if not changed:
        raise RefusedError(f"run {run.id} waits for no one to accept changes")
    for one in changed:
        by_whom.require(run, one, command.by, "accept the changes")
    return tuple(granted(one, command.by) for one in changed)


def _revoke(run: Run, command: Revoke, by_whom: Authority) -> Events:
    by_whom.require_known(command.by, "revoke a rule")
    if run.state is State.Aborted or command.rule_id not in {rule.id for rule in run.rules}:
        known = ", ".join(rule.id for rule in run.rules) or "none"
        raise RefusedError(
            f"run {run.id} has no rule {command.rule_id!r} to revoke; it has: {known}"
        )
    return (ev.StickyRuleRevoked(rule_id=command.rule_id, by=command.by),)


def _send(run: Run, command: Send) -> Events:
    if not command.message.strip():
        raise BadInputError("the message is empty")
    if run.state is State.Aborted:
        raise RefusedError(f"run {run.id} was aborted and hears nothing any more; start another")
    if run.erased:
        words = "what was said in it was erased, as was asked for; start another"
        raise RefusedError(f"run {run.id} hears nothing any more: {words}")
    return (ev.MessageReceived(message=command.message, by=command.by),)


def _start(run: Run | None, workflow: Workflow | None, command: Start) -> Events:
    if workflow is None:
        raise BadInputError("say which workflow is to be started")
    if run is not None:
        raise RunExistsError(f"there is a run {run.id} already; it is {run.state}")
    require_run_id(command.run_id)
    if not command.message.strip():
        raise BadInputError("the message is empty; say what the run is about")
    if command.customer is not None and not command.customer.strip():
        raise BadInputError("the customer's key is empty")
    if command.by is None and workflow.wants_starter:
        words = "say who starts it (by): somebody else has to approve"
        raise BadInputError(f"workflow {workflow.name}: {words}")
    return (
        ev.RunStarted(
            run_id=command.run_id,
            workflow=workflow.name,
            instructions=workflow.instructions,
            message=command.message,
            definition=workflow.definition,
            tools=workflow.schemas,
            by=None if command.by is None else named(command.by),
            customer=command.customer,
            secrets=workflow.secrets,
            redact=tuple(workflow.redact),
        ),
    )


def _abort(run: Run, command: Abort) -> Events:
    if run.state in ENDED:
        raise RefusedError(f"run {run.id} is {run.state} already; there is nothing to abort")
    reason = command.reason or "no reason given"
    by = named(command.by)
    return (ev.RunAborted(reason=f"aborted by {by}: {reason}", by=by, found=found_so_far(run)),)


def require_run_id(run_id: str) -> None:
    """Nothing; BadInputError where that is no name for a run."""
    if not _RUN_ID.fullmatch(run_id):
        raise BadInputError(f"{run_id!r} is no run id: 1 to 100 letters, digits, _, ., : or -")


def require_text(command: BaseModel) -> None:
    """Nothing; BadInputError where something that was said is no text that any file can hold."""
    for name, value in command:
        if isinstance(value, str) and clean_text(value) != value:
            raise BadInputError(f"{name} holds bytes that are no text")
