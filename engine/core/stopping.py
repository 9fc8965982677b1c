"""What becomes of a run at one of its bounds, before the model is asked once more."""

from datetime import datetime

from pydantic import JsonValue

from engine.core import events as ev
from engine.core.bounds import Reached, going_round, reached
from engine.core.canonical import action_digest
from engine.core.compacting import too_long
from engine.core.found import found_so_far
from engine.core.limits import Limits
from engine.core.loops import Circle
from engine.core.run import Run
from engine.core.workflow import Workflow

LAST_WORDS = (
    "{words}. Answer now, without tools: say what you have found, what was done, and what is left."
)
LOOPS = (
    "these calls gave the same results {times} times in a row. Do something else, or answer "
    "with what you know."
)


def at_limit(run: Run, workflow: Workflow, now: datetime) -> ev.Event | None:
    """What is recorded instead of asking the model; None where it may be asked."""
    limits = workflow.limits.raised(run.raised)
    if found := too_long(run, workflow):
        return _stop(run, workflow, found)
    failures = run.failures - (run.overflowed.attempt if run.overflowed else 0)
    if failures >= limits.max_attempts:
        times = f"{run.failures} times in a row" if run.failures > 1 else "once"
        words = f"the model failed {times}, at last with: {run.failure}"
        failed = Reached("max_attempts", words)
        return _ask(run, workflow, failed) if limits.on_limit == "ask" else _abort(run, failed)
    if run.last_words == "due":
        return None
    if found := reached(run, limits, now):
        return _stop(run, workflow, found)
    return _at_a_loop(run, workflow, limits)


def _at_a_loop(run: Run, workflow: Workflow, limits: Limits) -> ev.Event | None:
    match going_round(run, limits):
        case Reached() as found:
            return _stop(run, workflow, found)
        case Circle():
            return ev.LoopNoticed(words=LOOPS.format(times=limits.max_repeats))
        case None:
            return None


def _stop(run: Run, workflow: Workflow, found: Reached) -> ev.Event:
    match workflow.limits.on_limit:
        case "ask":
            return _ask(run, workflow, found)
        case "answer" if run.last_words is None:
            return ev.LimitReached(limit=found.limit, words=LAST_WORDS.format(words=found.words))
        case "answer" | "abort":
            return _abort(run, found)


def _abort(run: Run, found: Reached) -> ev.RunAborted:
    return ev.RunAborted(reason=found.words, limit=found.limit, found=found_so_far(run))


def _ask(run: Run, workflow: Workflow, found: Reached) -> ev.ApprovalRequested:
    """The question whether the bound is raised; it is bound to what was reached, and when."""
    about: dict[str, JsonValue] = {"turns": run.turns, "words": found.words}
    return ev.ApprovalRequested(
        approval_id=f"{run.id}.{run.asked + 1}",
        approval_kind="limit",
        call_id="",
        tool=found.limit,
        arguments={},
        digest=action_digest(found.limit, about, {}, {}),
        reason=found.words,
        notify=tuple(one.name for one in workflow.notifiers),
    )
