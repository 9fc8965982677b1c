"""The engine: the one place that wires stores, models, log and runtime together."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from engine.catalogue import check_address, heads, open_store
from engine.codec.checkpoints import decode_checkpoint
from engine.core.accept import accept
from engine.core.commands import Abort, Approve, Command, Deny, Start
from engine.core.events import Recorded
from engine.core.run import Checkpoint, PendingApproval, Run
from engine.core.states import ENDED, State
from engine.core.workflow import ModelClient, Workflow
from engine.errors import (
    ConflictError,
    DefinitionError,
    EngineError,
    UnknownRunError,
    UnknownWorkflowError,
)
from engine.ports import Clock, Closeable, Logger, Store
from engine.runtime.clock import SystemClock
from engine.runtime.commit import commit, settle_log
from engine.runtime.draft import Draft, load, load_journal
from engine.runtime.drive import Driver
from engine.runtime.telemetry import Telemetry

LogTarget = str | Path | Logger

_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that are mistaken for each other
_PAGE = 500


class Engine:
    """Runs workflows. Use it as `async with Engine(...) as engine`.

    Every method that takes a run id raises UnknownRunError where there is no such
    run, and CorruptRunError where what is stored of it does not hold together.
    """

    def __init__(
        self,
        *,
        store: str | Store,
        workflows: Iterable[Workflow] = (),
        model: ModelClient | None = None,
        log: LogTarget | Sequence[LogTarget] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Take what to run and where to keep it; nothing is opened yet.

        `store` is `sqlite:///path.db`, `memory://` or a Store. `model` serves every
        workflow; without it each is served by its own. `log` is a path (JSON Lines,
        appended to), a structlog logger, or several of these. Raises
        DefinitionError where two workflows have one name.
        """
        self._store_wanted, self._model, self._clock = store, model, clock or SystemClock()
        self._log_wanted = _several(log)
        self._workflows = _by_name(workflows)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._store: Store | None = None
        self._entered = self._listening = False
        self._telemetry = Telemetry(())

    async def __aenter__(self) -> Self:
        """The engine; store and log are opened when first used. BadStoreUrlError for no store."""
        if isinstance(self._store_wanted, str):
            check_address(self._store_wanted, self._log_wanted)
        self._entered = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the log, the models, and the store if the engine opened it."""
        self._telemetry.close()
        for model in (self._model, *(one.model for one in self._workflows.values())):
            if isinstance(model, Closeable):
                await model.aclose()
        if self._store is not None and isinstance(self._store_wanted, str):
            await self._store.close()
        self._store, self._entered, self._listening = None, False, False

    async def start(self, workflow: str, message: str, run_id: str | None = None) -> Run:
        """A new run, driven until it waits for a person or has ended.

        `run_id` names it (1 to 100 letters, digits, _, ., : or -); without one it is
        given a random one of 12. Raises UnknownWorkflowError, BadInputError for an
        empty message or a bad id, RunExistsError.
        """
        wanted = _new_id() if run_id is None else run_id
        declared, command = self._workflow(workflow), Start(run_id=wanted, message=message)
        self._model_of(declared)
        accept(None, declared, command)  # what makes no sense opens no store
        draft = await load(self._open_store, wanted)
        draft.record(accept(draft.run, declared, command), self._clock.now())
        await commit(draft, self._open_store, self._telemetry)
        return await self._drive(draft)

    async def resume(self, run_id: str) -> Run:
        """The run, driven on from where it stopped until it waits for a person or has ended."""
        return await self._drive(await self._load(run_id))

    async def approve(
        self, run_id: str, call_id: str | None = None, *, by: str, note: str | None = None
    ) -> Run:
        """The run, after one call was allowed and the run driven on.

        `call_id` may be left out while only one call waits. Raises RefusedError where
        none waits, AmbiguousCallError naming them where several do, UnknownCallError.
        """
        return await self._tell(run_id, Approve(call_id=call_id, by=by, note=note))

    async def deny(
        self, run_id: str, call_id: str | None = None, *, by: str, reason: str | None = None
    ) -> Run:
        """The run, after one call was refused (the model reads `reason`); raises as `approve`."""
        return await self._tell(run_id, Deny(call_id=call_id, by=by, reason=reason))

    async def abort(self, run_id: str, *, by: str, reason: str | None = None) -> Run:
        """The run, Aborted; raises RefusedError where it has ended already."""
        return await self._tell(run_id, Abort(by=by, reason=reason))

    async def run(self, run_id: str) -> Run:
        """The run as it is stored."""
        return (await self._load(run_id)).live

    async def journal(self, run_id: str) -> tuple[Recorded, ...]:
        """The run's events, oldest first, their digest chain verified."""
        _, events = await load_journal(self._open_store, run_id)
        if not events:
            raise _unknown(run_id)
        return events

    async def runs(
        self,
        state: State | str | None = None,
        workflow: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Checkpoint]:
        """At most `limit` runs without their transcripts, the newest first.

        `after` is the last run of the page before. Raises BadInputError for an
        unknown state or run, or a limit below 1.
        """
        found = await heads(
            self._open_store, state=state, workflow=workflow, limit=limit, after=after
        )
        return [decode_checkpoint(head.checkpoint) for head in found]

    async def pending(self) -> list[PendingApproval]:
        """Every open approval with its run, the oldest first."""
        found: list[PendingApproval] = []
        after: str | None = None
        while page := await self.runs(state=State.AwaitingApproval, limit=_PAGE, after=after):
            found += [
                PendingApproval(run_id=run.id, workflow=run.workflow, **dict(approval))
                for run in page
                for approval in run.approvals
            ]
            after = page[-1].id
        return sorted(found, key=lambda approval: approval.requested_at)

    async def _tell(self, run_id: str, command: Command) -> Run:
        """Accept a command, make it durable, and drive on; re-read where somebody was faster."""
        while True:
            draft = await self._load(run_id)
            workflow = self._workflow(draft.live.workflow)
            draft.record(accept(draft.run, workflow, command), self._clock.now())
            if draft.live.state not in ENDED:
                self._model_of(workflow)  # a verdict that could not be driven on is not taken
            try:
                await commit(draft, self._open_store, self._telemetry)
            except ConflictError:
                continue
            return await self._drive(draft)

    async def _drive(self, draft: Draft) -> Run:
        """Drive the run; where somebody else has moved it on, go on from what they left."""
        run_id = draft.live.id
        async with self._locks.setdefault(run_id, asyncio.Lock()):
            head = await self._open_store.head(run_id)
            if head is None or head.seq != draft.live.seq:
                draft = await self._load(run_id)
            while draft.live.state not in ENDED:
                try:
                    await self._driver(draft.live.workflow).drive(draft)
                except ConflictError:
                    draft = await self._load(run_id)
                else:
                    return draft.live
            await settle_log(draft, self._open_store, self._telemetry)
            return draft.live

    async def _load(self, run_id: str) -> Draft:
        draft = await load(self._open_store, run_id)
        if draft.run is None:
            raise _unknown(run_id)
        return draft

    def _driver(self, name: str) -> Driver:
        workflow, store = self._workflow(name), self._open_store
        return Driver(workflow, self._model_of(workflow), store, self._telemetry, self._clock)

    def _model_of(self, workflow: Workflow) -> ModelClient:
        model = self._model or workflow.model
        if model is None:
            raise DefinitionError(
                f"workflow {workflow.name} has no model of its own: give the engine one "
                "(for the command, set OPENAI_API_KEY)"
            )
        return model

    def _workflow(self, name: str) -> Workflow:
        if name not in self._workflows:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise UnknownWorkflowError(f"there is no workflow {name!r}; there are: {known}")
        return self._workflows[name]

    @property
    def _open_store(self) -> Store:
        """The store, opened with the log when it is first needed."""
        if not self._entered:
            raise EngineError("the engine is not open; use it as `async with Engine(...)`")
        if self._store is None:
            wanted = self._store_wanted
            self._store = open_store(wanted) if isinstance(wanted, str) else wanted
        if not self._listening:
            self._telemetry = Telemetry(self._log_wanted)
            self._listening = True
        return self._store


def _new_id() -> str:
    import secrets

    return "".join(secrets.choice(_ID_LETTERS) for _ in range(12))


def _several(log: LogTarget | Sequence[LogTarget] | None) -> Sequence[LogTarget]:
    match log:
        case None:
            return ()
        case str() | Path():
            return (log,)
        case Sequence():
            return log
        case _:
            return (log,)


def _by_name(workflows: Iterable[Workflow]) -> dict[str, Workflow]:
    named: dict[str, Workflow] = {}
    for workflow in workflows:
        if not isinstance(workflow, Workflow):
            raise DefinitionError(f"{workflow!r} is no Workflow")
        if workflow.name in named:
            raise DefinitionError(f"two workflows are named {workflow.name}")
        named[workflow.name] = workflow
    return named


def _unknown(run_id: str) -> UnknownRunError:
    return UnknownRunError(f"there is no run {run_id!r} in this store")
