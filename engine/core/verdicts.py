"""What a person says about an open approval, and the events that follow; or a clear refusal."""

import re
from typing import assert_never

import orjson

from engine.core import events as ev
from engine.core.approvers import Authority, named, person
from engine.core.canonical import digest
from engine.core.commands import Answer, Approve, Deny, VerdictCommand
from engine.core.conditions import Conditions, fault_in, hold, in_words
from engine.core.judge import terms_of
from engine.core.messages import Arguments
from engine.core.raising import RAISE_IT, stopped
from engine.core.repeated import is_given_already, names
from engine.core.run import Approval, Run
from engine.core.schema import ArgumentsError
from engine.core.states import ENDED
from engine.core.tokens import MASK
from engine.core.tool import Tool
from engine.core.workflow import Workflow
from engine.errors import (
    AmbiguousCallError,
    BadInputError,
    NotAllowedError,
    RefusedError,
    UnknownCallError,
)

_SHORT_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_VERBS = {Approve: "approve", Deny: "deny", Answer: "answer"}


def give_verdict(
    run: Run, workflow: Workflow | None, command: VerdictCommand, by_whom: Authority
) -> tuple[ev.Event, ...]:
    """The events of a verdict; none where the same person gave the same one already.

    Raises BadInputError, RefusedError, and NotAllowedError for who may not decide this.
    """
    named(command.by)
    if command.digest is not None and not _SHORT_DIGEST.fullmatch(command.digest):
        words = f"{command.digest!r} is no digest: 8 to 64 of the characters 0-9 and a-f"
        raise BadInputError(words)
    verb = _VERBS[type(command)]
    if is_given_already(run, workflow, command):
        return ()
    asked = _meant(run, command, verb)
    by_whom.require(run, asked, command.by, f"{verb} {asked.about}")
    _require_seen(asked, command)
    match command:
        case Approve():
            return _approve(run, workflow, asked, command, by_whom)
        case Deny() if asked.kind == "limit":
            return _denied(asked, command), stopped(run, asked, command)
        case Deny():
            return (_denied(asked, command),)
        case Answer():
            return (_answered(workflow, asked, command),)
        case other:
            assert_never(other)


def granted(asked: Approval, by: str, note: str | None = None) -> ev.ApprovalGranted:
    """The event that a person allowed exactly what was asked."""
    return ev.ApprovalGranted(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=by,
        note=note,
    )


def _approve(
    run: Run, workflow: Workflow | None, asked: Approval, command: Approve, by_whom: Authority
) -> tuple[ev.Event, ...]:
    lost = asked.kind != "limit" and run.call(asked.call_id).lost
    _require_grantable(asked, command, lost=lost)
    grant = granted(asked, command.by, command.note)
    if command.arguments is not None:
        grant = _edited(run, workflow, asked, grant, command.arguments)
    _require_looked_again(run, asked, command)
    if grant.arguments is None:
        _require_somebody_else(asked, command.by)
    else:
        edited = asked.model_copy(update={"demand": grant.demand})
        by_whom.require(run, edited, command.by, f"change {asked.tool} so")
    if command.remember is None:
        return (grant,)
    return grant, _rule(run, workflow, asked, grant, command.remember)


def _require_somebody_else(asked: Approval, by: str) -> None:
    if person(by) in map(person, asked.grants):
        raise NotAllowedError(
            f"{by} has approved {asked.about} already; it takes {asked.demand.quorum} people"
        )


def _require_looked_again(run: Run, asked: Approval, command: Approve) -> None:
    """Nothing; RefusedError where it may be their verdict on what was asked before an edit."""
    by = person(command.by)
    theirs = [
        said.digest
        for said in run.verdicts
        if (said.approval_id, said.verdict) == (asked.approval_id, "granted")
        and person(said.by) == by
    ]
    if command.digest is None and theirs and asked.digest not in theirs:
        raise RefusedError(
            f"{asked.about} was changed by {asked.edited_by} since {command.by} "
            f"approved it; look at it again, and name its digest {asked.digest[:12]}"
        )


def _require_grantable(asked: Approval, command: Approve, *, lost: bool) -> None:
    """Nothing; RefusedError where a grant is not what this approval waits for."""
    match asked.kind:
        case "changed":
            raise RefusedError(
                f"{asked.reason}; accept the changes (resume --accept-changes), answer, or deny"
            )
        case "question":
            raise RefusedError(f"{asked.tool} asks a question: answer it, or deny")
        case "in_doubt":
            if not command.retry:
                raise RefusedError(
                    f"it is not known whether {asked.tool} happened ({asked.reason}); "
                    "say that it shall run again (--retry), answer with its result, or deny"
                )
            if lost and MASK in str(command.arguments or MASK):
                raise RefusedError(
                    f"{asked.reason}; give all of its arguments (--set), answer, or deny"
                )
            if command.remember is not None or (command.arguments is not None and not lost):
                raise RefusedError("a call in doubt is run again as it was, or not at all")
        case "limit":
            raise RefusedError(f"{RAISE_IT.format(limit=asked.tool)}, or deny")
        case "tool_call":
            if command.retry:
                raise RefusedError(f"{asked.tool} is not in doubt, so there is nothing to retry")
        case other:
            assert_never(other)


def _edited(
    run: Run,
    workflow: Workflow | None,
    asked: Approval,
    grant: ev.ApprovalGranted,
    wanted: Arguments,
) -> ev.ApprovalGranted:
    """The grant of an action with other arguments, which today's policy judges, too."""
    declared, tool = _declared(workflow, asked)
    try:
        arguments = tool.validate(orjson.dumps(wanted).decode())
    except (ArgumentsError, TypeError, ValueError) as error:
        raise BadInputError(f"the changed arguments do not fit {tool.name}: {error}") from error
    if digest(arguments) == digest(asked.arguments):
        return grant
    demand = declared.demand(tool.name, arguments, run)
    same = tool.digest(asked.arguments, demand) == asked.digest
    return grant.model_copy(
        update={
            "arguments": arguments,
            "digest": tool.digest(arguments, demand),
            "demand": asked.demand
            if same or demand.ask != "always"
            else asked.demand.stricter(demand),
        }
    )


def _rule(
    run: Run,
    workflow: Workflow | None,
    asked: Approval,
    grant: ev.ApprovalGranted,
    when: Conditions,
) -> ev.StickyRuleAdded:
    """The rule that a grant brings with it, no broader than what was said."""
    declared, tool = _declared(workflow, asked)
    if fault := fault_in(when) or ("say while what holds" if not when else None):
        raise BadInputError(f"the rule: {fault}")
    properties = tool.parameters.get("properties")
    known = properties if isinstance(properties, dict) else {}
    if unknown := [name for name in when if name not in known]:
        there = ", ".join(known) or "none"
        raise BadInputError(
            f"the rule: {tool.name} has no argument {unknown[0]!r}; it has: {there}"
        )
    arguments = asked.arguments if grant.arguments is None else grant.arguments
    if not hold(when, arguments):
        raise BadInputError(f"the rule does not hold of this very call: {in_words(when)}")
    demand = declared.demand(tool.name, arguments, run)
    if tool.digest(arguments, demand) != grant.digest:
        raise RefusedError("the policy has changed since; no rule can be made of what it was")
    if (most := max(demand.quorum, asked.demand.quorum)) > 1:
        raise RefusedError(f"it takes {most} people each time; no rule can stand for them")
    return ev.StickyRuleAdded(
        rule_id=f"{run.id}.rule{run.ruled + 1}",
        tool=asked.tool,
        when=when,
        schema_digest=tool.schema_digest,
        terms=terms_of(demand),
        by=grant.by,
    )


def _denied(asked: Approval, command: Deny) -> ev.ApprovalDenied:
    return ev.ApprovalDenied(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=command.by,
        reason=command.reason,
        note=command.note,
    )


def _answered(workflow: Workflow | None, asked: Approval, command: Answer) -> ev.ApprovalAnswered:
    content = command.result
    if asked.kind == "limit":
        how = RAISE_IT.format(limit=asked.tool)
        raise RefusedError(f"no call waits for a result; {how}, or deny")
    if asked.kind == "question":
        form = _declared(workflow, asked)[1].form
        content = form.check(asked.arguments, content) if form else content
    return ev.ApprovalAnswered(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        by=command.by,
        content=content,
        note=command.note,
    )


def _declared(workflow: Workflow | None, asked: Approval) -> tuple[Workflow, Tool]:
    """The tool as it is today; RefusedError where there is none any more."""
    tool = workflow.tool(asked.tool) if workflow else None
    if workflow is None or tool is None:
        words = f"the tool {asked.tool} is gone from the workflow; deny, or go on with it (resume)"
        raise RefusedError(words)
    return workflow, tool


def _require_seen(asked: Approval, command: VerdictCommand) -> None:
    """Nothing; RefusedError where the person saw another action than the one that waits."""
    seen = command.digest
    if seen is not None and not asked.digest.startswith(seen):
        raise RefusedError(
            f"{asked.about} waits with another action than the one of {seen}: "
            f"it is {asked.digest[:12]} by now; look at it again (approvals)"
        )


def _meant(run: Run, command: VerdictCommand, verb: str) -> Approval:
    """The one open approval that the command means."""
    if not run.approvals:
        words = f"there is nothing to {verb}{_last_said(run, command)}"
        if run.state not in ENDED:
            words += "; go on with it first (resume): it asks if it has to"
        raise RefusedError(f"run {run.id} is {run.state} and waits for no verdict; {words}")
    waiting = ", ".join(one.about for one in run.approvals)
    meant = [one for one in run.approvals if names(command, one)]
    if len(meant) > 1:
        raise AmbiguousCallError(f"run {run.id} waits for several calls; name one: {waiting}")
    if meant:
        return meant[0]
    wanted = f"on call {command.call_id!r}" if command.call_id else f"of id {command.approval_id!r}"
    raise UnknownCallError(
        f"run {run.id} waits for no verdict {wanted}; it waits for: {waiting}"
        f"{_last_said(run, command)}"
    )


def _last_said(run: Run, command: VerdictCommand) -> str:
    """Who decided already on what is meant."""
    said = [one for one in run.verdicts if names(command, one)]
    if not said:
        return ""
    last = said[-1]
    what = last.call_id or "it"
    return f" ({what} was {last.verdict} by {last.by} at {last.at:%Y-%m-%d %H:%M:%S} UTC)"
