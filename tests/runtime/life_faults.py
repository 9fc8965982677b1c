"""Faults, each of which takes one protection away."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from engine import RefusedError
from engine.core import deadlines, decide, evolve, judge, transcript, verdicts
from engine.core import events as ev
from engine.core.canonical import idempotency_key
from engine.core.demand import Demand
from engine.core.messages import Arguments
from engine.core.moves import Changes
from engine.core.run import Approval, Run
from engine.core.tool import Tool
from engine.core.workflow import Workflow
from engine.ports import Lease
from engine.runtime import drive, host
from engine.runtime.drive import Driver
from engine.stores.memory import MemoryStore

Patch = pytest.MonkeyPatch


def _repeats_what_is_unsafe(patch: Patch) -> None:
    patch.setattr(judge._Case, "_why_not_again", lambda *_: None)  # noqa: SLF001 # the fault is planted


def _forgets_the_gate(patch: Patch) -> None:
    patch.setattr(Workflow, "demand", lambda *_: Demand(ask="never"))


def _makes_a_key_an_attempt(patch: Patch) -> None:
    keys = iter(range(10**9))
    patch.setattr(
        judge, "idempotency_key", lambda run, call: idempotency_key(run, f"{call} {next(keys)}")
    )


def _acts_before_it_is_durable(patch: Patch) -> None:
    async def commit(self: Driver, draft: Any) -> bool:
        return bool(self and draft)

    patch.setattr(Driver, "_commit", commit)


def _gives_no_lease_back(patch: Patch) -> None:
    async def release(self: MemoryStore, run_id: str, lease: Lease, *, moved: bool) -> None:
        assert self, (run_id, lease, moved)

    patch.setattr(MemoryStore, "release", release)


def _runs_what_was_asked_for_not_what_was_granted(patch: Patch) -> None:
    def as_asked(self: Any, tool: Tool) -> Arguments:
        text = self.run.tool_call(self.call.id).function.arguments
        return self.call.arguments or tool.validate(text)

    patch.setattr(judge._Case, "_arguments", as_asked)  # noqa: SLF001 # as above
    patch.setattr(Tool, "digest", lambda *_: "0" * 64)  # the second protection of the same


def _takes_one_person_for_two(patch: Patch) -> None:
    patch.setattr(verdicts, "person", lambda _: object())


def _takes_the_verdict_for_another_call(patch: Patch) -> None:
    def meant(run: Run, command: Any, verb: str) -> Approval:
        return _one_of(run, f"{command} {verb}")

    patch.setattr(verdicts, "_meant", meant)


def _one_of(run: Run, what: str) -> Approval:
    if not run.approvals:
        raise RefusedError(what)
    return run.approvals[-1]


def _forgets_deadlines(patch: Patch) -> None:
    for module in (host, decide):
        patch.setattr(module, "overdue", lambda *_: ())


def _takes_a_word_after_the_deadline(patch: Patch) -> None:
    patch.setattr(host, "overdue", lambda *_: ())


def _expires_early(patch: Patch) -> None:
    def overdue(run: Run, now: datetime) -> tuple[ev.Event, ...]:
        return tuple(deadlines._expired(one, now) for one in run.approvals if one.expires_at)  # noqa: SLF001 # as above

    patch.setattr(decide, "overdue", overdue)


def _reads_a_rule_too_broadly(patch: Patch) -> None:
    patch.setattr(judge, "hold", lambda *_: True)


def _keeps_a_rule_that_was_revoked(patch: Patch) -> None:
    as_it_is = evolve._changes  # noqa: SLF001 # as above

    def changes(run: Run, recorded: ev.Recorded) -> Changes:
        revoked = isinstance(recorded.event, ev.StickyRuleRevoked)
        return {} if revoked else as_it_is(run, recorded)

    patch.setattr(evolve, "_changes", changes)


def _puts_messages_before_results(patch: Patch) -> None:
    as_it_is = transcript.closed

    def closed(run: Run) -> Changes:
        told = as_it_is(run.model_copy(update={"inbox": ()}))["messages"]
        assert isinstance(told, tuple)
        before, results = told[: len(run.messages)], told[len(run.messages) :]
        return as_it_is(run) | {"messages": (*before, *run.inbox, *results)}

    patch.setattr(evolve, "closed", closed)


def _loses_what_came_in_a_turn(patch: Patch) -> None:
    as_it_is = transcript.closed
    patch.setattr(evolve, "closed", lambda run: as_it_is(run.model_copy(update={"inbox": ()})))


def _takes_an_answer_for_the_last_word(patch: Patch) -> None:
    patch.setattr(drive, "on_top", lambda _, outcome, *__: outcome)


# Each with how a life begins in which it can do harm; None: any life.
PLANTS: tuple[tuple[Callable[[Patch], None], tuple[str, str] | None], ...] = (
    (_repeats_what_is_unsafe, None),
    (_forgets_the_gate, None),
    (_makes_a_key_an_attempt, None),
    (_acts_before_it_is_durable, None),
    (_gives_no_lease_back, None),
    (_runs_what_was_asked_for_not_what_was_granted, ("pay", "edit")),
    (_takes_one_person_for_two, ("give", "twice")),
    (_takes_the_verdict_for_another_call, ("pay", "edit")),
    (_forgets_deadlines, ("lend", "too late")),
    (_takes_a_word_after_the_deadline, ("lend", "too late")),
    (_expires_early, ("lend", "edit")),
    (_reads_a_rule_too_broadly, ("pay", "remember")),
    (_keeps_a_rule_that_was_revoked, ("pay", "revoke")),
    (_puts_messages_before_results, ("pay", "write")),
    (_loses_what_came_in_a_turn, ("pay", "write")),
    (_takes_an_answer_for_the_last_word, None),
)
