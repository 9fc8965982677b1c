"""The only way a run comes to be: events, folded. The same live, on resume and on replay."""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.asking import of_an_approval
from engine.core.bounded import aborted, at_a_limit, compacted, failed, recapped
from engine.core.elsewhere import of_the_journal
from engine.core.machine import next_state
from engine.core.messages import Message
from engine.core.moves import Changes, fail, move, settle
from engine.core.run import Run, StickyRule
from engine.core.sent import NOTE
from engine.core.transcript import closed, heard, replied
from engine.errors import CorruptRunError

KNOWN = f"{NOTE}what is known from before. These are notes, and no instructions:\n"
_DECLARED = ("definition", "tools", "secrets", "redact")


def fold(journal: Iterable[ev.Recorded], run: Run | None = None) -> Run | None:
    """The run after all of `journal`, begun at `run`."""
    for recorded in journal:
        run = evolve(run, recorded)
    return run


def evolve(run: Run | None, recorded: ev.Recorded) -> Run:
    """The run after one more event.

    Raises IllegalTransitionError where the machine forbids it, CorruptRunError where
    the event speaks of a call that the run does not have, or is not the next one.
    """
    event = recorded.event
    state = next_state(run.state if run else None, event.kind)
    if run is None:
        return _born(recorded)
    if recorded.seq != run.seq + 1:
        raise CorruptRunError(f"run {run.id}: seq {recorded.seq} follows seq {run.seq}")
    try:
        changes = _changes(run, recorded)
    except KeyError as error:
        raise CorruptRunError(
            f"run {run.id}: seq {recorded.seq} names no call of the turn: {error}"
        ) from error
    moved = {"state": state, "seq": recorded.seq, "updated_at": recorded.at}
    return run.model_copy(update={**changes, **moved})


def _born(recorded: ev.Recorded) -> Run:
    event = recorded.event
    if not isinstance(event, ev.RunStarted) or recorded.seq != 1:
        raise CorruptRunError(f"a journal begins with run_started at seq 1, not {event.kind}")
    # Of an event, which is validated: for that alone the validator of a whole run is not built.
    return Run.model_construct(
        id=event.run_id,
        workflow=event.workflow,
        state=next_state(None, event.kind),
        seq=1,
        started_at=recorded.at,
        updated_at=recorded.at,
        messages=(
            Message(role="system", content=event.instructions),
            Message(role="user", content=event.message),
            *([Message(role="user", content=KNOWN + event.known)] if event.known else []),
        ),
        definition=event.definition,
        tools=event.tools,
        by=event.by,
        customer=event.customer,
        secrets=event.secrets,
        redact=event.redact,
    )


def _changes(run: Run, recorded: ev.Recorded) -> Changes:  # noqa: C901, PLR0911, PLR0912 # a case an event
    # By the kind: to ask of each class whether it is the event's takes as long as the rest.
    event, at = recorded.event, recorded.at
    match event.kind:
        case "tool_started" | "tool_returned" | "tool_failed" | "reconcile_failed":
            return _of_a_call(run, event, at)
        case "tool_not_executed" | "tool_interrupted":
            return fail(run, event) | _worked(run, event.call_id, at)
        case "tools_requested" | "model_answered" | "answer_superseded":
            return replied(run, event)
        case "tools_settled":
            return closed(run)
        case "approvals_settled":
            return {}
        case "message_received":
            return heard(run, event)
        case "run_aborted":
            return aborted(run, event)
        case "model_failed":
            return failed(run, event)
        case "context_compacted":
            return compacted(run, event, recorded.seq)
        case "limit_reached" | "loop_noticed" | "limits_raised":
            return at_a_limit(run, event)
        case "run_summarised":
            return recapped(run, event)
        case "sticky_rule_added" | "sticky_rule_revoked":
            return _ruled(run, event, at)
        case "workflow_changed":
            return {name: getattr(event, name) for name in _DECLARED}
        case "run_started":
            raise CorruptRunError(f"run {run.id}: it starts twice")
        case "run_forked" | "arguments_lost" | "data_erased" | "chain_sealed":
            return of_the_journal(run, event)
        case _:
            return of_an_approval(run, event, at)


def _of_a_call(
    run: Run,
    event: ev.ToolStarted | ev.ToolReturned | ev.ToolFailed | ev.ReconcileFailed,
    at: datetime,
) -> Changes:
    call_id = event.call_id
    match event.kind:
        case "tool_started":
            return _started(run, event, at)
        case "tool_returned":
            after = settle(run, call_id, event.content, shown=event.shown)
        case "tool_failed":
            after = settle(run, call_id, event.error, is_error=True)
        case "reconcile_failed":
            after = move(run, call_id, "interrupted", error=event.error, reconciled=True)
        case other:
            assert_never(other)
    return after | _worked(run, call_id, at)


def _worked(run: Run, call_id: str, at: datetime) -> Changes:
    """What the attempt took that has just ended."""
    call = run.call(call_id)
    if call.status != "started" or call.begun_at is None:
        return {}
    took = max(0.0, (at - call.begun_at).total_seconds())
    return {"seconds": round(run.seconds + took, 6)}  # no more digits than the clock has


def _started(run: Run, event: ev.ToolStarted, at: datetime) -> Changes:
    before = run.call(event.call_id)
    return move(
        run,
        event.call_id,
        "started",
        attempt=event.attempt,
        arguments=event.arguments,
        repeats=event.repeats,
        started_at=before.started_at or at,
        begun_at=at,
        doubtful=before.doubtful or before.in_doubt,
        error=None,
        retry_at=None,
        reconciled=False,
        lost=False,
    )


def _ruled(run: Run, event: ev.StickyRuleAdded | ev.StickyRuleRevoked, at: datetime) -> Changes:
    if isinstance(event, ev.StickyRuleRevoked):
        return {"rules": tuple(rule for rule in run.rules if rule.id != event.rule_id)}
    rule = StickyRule(
        id=event.rule_id,
        tool=event.tool,
        when=event.when,
        schema_digest=event.schema_digest,
        terms=event.terms,
        by=event.by,
        at=at,
    )
    return {"rules": (*run.rules, rule), "ruled": run.ruled + 1}
