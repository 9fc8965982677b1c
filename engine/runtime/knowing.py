"""What a run is told when it begins, what its calls may remember, and what it leaves."""

import logging
from collections.abc import Sequence

from engine.codec.events import from_ticks
from engine.core import events as ev
from engine.core.canonical import idempotency_key
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.core.tokens import without_tokens
from engine.core.workflow import Workflow
from engine.errors import DefinitionError
from engine.ports import Clock, Store
from engine.remembering import NOTHING, FactRow, MemoryChange
from engine.runtime.draft import Draft
from engine.runtime.notebook import Notebook, remembering

_MOST = 6000  # characters of all the notes that a run is told

_LOG = logging.getLogger("waystation")


async def knowing(
    events: tuple[ev.Event, ...], workflow: Workflow, store: Store, clock: Clock
) -> tuple[ev.Event, ...]:
    """The events that begin a run, with the newest notes under its key in the first."""
    memory, (first, *others) = workflow.memory, events
    if memory is None or not memory.known or not isinstance(first, ev.RunStarted):
        return events
    key = memory.key(evolve(None, ev.Recorded(seq=1, at=clock.now(), event=first)))
    if key is None:
        return events
    rows = await remembering(store).facts(scope=key, limit=memory.known)
    return (first.model_copy(update={"known": _listed(rows)}), *others) if rows else events


def announced(event: ev.Event, run: Run, workflow: Workflow) -> ev.Event:
    """What the model said; an answer says whether a summary is to follow."""
    memory = workflow.memory
    if not isinstance(event, ev.ModelAnswered) or memory is None or not memory.summaries:
        return event
    try:
        key = memory.key(run)
    except DefinitionError as error:  # the answer is kept all the same
        _LOG.warning("run %s leaves no summary: %s", run.id, without_tokens(str(error)))
        return event
    return event if key is None else event.model_copy(update={"sums_up": True})


def notes_for(
    draft: Draft, intent: ev.ToolStarted, workflow: Workflow, store: Store, clock: Clock
) -> Notebook | None:
    """The notes that a call may use; None where the workflow has no memory."""
    key, call_id = intent.idempotency_key, intent.call_id
    return _notebook(draft, workflow, store, clock, (key, call_id))


async def kept_of(
    event: ev.Event, draft: Draft, workflow: Workflow, store: Store, clock: Clock
) -> MemoryChange:
    """What is remembered with the event: a summary, where it is one."""
    if not isinstance(event, ev.RunSummarised):
        return NOTHING
    origin = (idempotency_key(draft.live.id, "summary"), "")
    notes = _notebook(draft, workflow, store, clock, origin)
    if notes is None or notes.memory.key(notes.run) is None:
        return NOTHING
    await notes.sum_up(event.words)
    return notes.change


def _notebook(
    draft: Draft, workflow: Workflow, store: Store, clock: Clock, origin: tuple[str, str]
) -> Notebook | None:
    if workflow.memory is None:
        return None

    def mask(text: str) -> str:
        return draft.secrecy.text(text)  # as much as is known by then

    return Notebook(
        store=remembering(store),
        memory=workflow.memory,
        run=draft.live,
        origin=origin[0],
        mask=mask,
        now=clock.now,
        call_id=origin[1],
    )


def _listed(rows: Sequence[FactRow]) -> str:
    """The notes, the oldest first, a line each; the oldest are left out where all are too long."""
    lines: list[str] = []
    for row in rows:
        line = f"- {from_ticks(row.at):%Y-%m-%d} {row.kind}: {' '.join(row.text.split())}"
        if lines and sum(map(len, lines)) + len(line) > _MOST:
            break
        lines.insert(0, line)
    return "\n".join(lines)
