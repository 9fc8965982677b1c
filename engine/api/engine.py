"""The Engine: what people ask of runs, and the wiring that answers it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from engine.api.auditing import Auditing
from engine.api.deciding import Deciding
from engine.api.forking import Forking
from engine.api.keeping import Keeping
from engine.api.looking import Wanted, page_of, pending_in
from engine.api.reckoning import Reckoning
from engine.api.remembering import Recollecting
from engine.api.telling import Telling
from engine.api.watching import Watching
from engine.api.wiring import (
    LogTarget,
    authority_of,
    by_name,
    keys_of,
    named_in,
    new_id,
    prices_of,
    several,
)
from engine.catalogue import check_address, open_store
from engine.codec.chain import AuditKeys
from engine.core.accept import accept
from engine.core.approvers import Approvers
from engine.core.commands import Start
from engine.core.events import Recorded
from engine.core.run import Checkpoint, PendingApproval, Run
from engine.core.states import State
from engine.core.workflow import ModelClient, Workflow
from engine.errors import (
    EngineError,
)
from engine.keeping.keeper import Keeper
from engine.ports import Clock, Closeable, Store
from engine.prices import Price
from engine.runtime.clock import SystemClock
from engine.runtime.equipment import Equipment
from engine.runtime.host import Host
from engine.runtime.load import load_unsealed, unknown
from engine.runtime.telemetry import Telemetry
from engine.runtime.watching import settle
from engine.runtime.worker import Worker


class Engine(Deciding, Auditing, Forking, Reckoning, Telling, Watching, Keeping, Recollecting):
    """Runs workflows. Use it as `async with Engine(...) as engine`.

    Every method that takes a run id raises UnknownRunError where there is no such
    run, CorruptRunError where what is stored of it does not hold together,
    RunTooNewError where a newer program wrote it, and UnverifiedRunError where a key to
    verify it is missing, or it was written without the one there is. StoreError means that the step
    was not taken, and that the run goes on from where it was once the cause is gone.

    What the methods give is the truth, secrets too: it is what the program goes on with.
    What it shows to anybody else comes from `masked`.
    """

    def __init__(  # noqa: PLR0913 # what an engine is wired from
        self,
        *,
        store: str | Store,
        workflows: Iterable[Workflow] = (),
        model: ModelClient | None = None,
        log: LogTarget | Sequence[LogTarget] | None = None,
        approvers: Approvers | Mapping[str, Iterable[str]] | str | Path | None = None,
        audit_key: AuditKeys | str | Path | None = None,
        prices: Mapping[str, Price] | str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Take what to run and where to keep it; nothing is opened yet.

        `store` is `sqlite:///path.db`, `memory://` or a Store. `model` serves every
        workflow; without it each is served by its own. `log` is a path (JSON Lines,
        appended to), a structlog logger, or several of these. `approvers` are the
        people who may decide, each with their roles, or a TOML file that has them under
        `[approvers]`, read again at each decision; without them anybody may, where no
        role is asked for. `audit_key` (see `read_keys`, or a file that holds them) makes
        the digest chain one that nobody without it can forge. `prices` are your own, by
        the model's name, or a TOML file that has them under `[prices.MODEL]`; they go
        before the lists that come along. Raises DefinitionError where two workflows have
        one name, BadInputError where the approvers, the keys or the prices cannot be read.
        """
        self._authority, self._keys = authority_of(approvers), keys_of(audit_key)
        self._store_wanted, self._model, self._clock = store, model, clock or SystemClock()
        self._log_wanted, self._prices = several(log), prices_of(prices)
        self._workflows = by_name(workflows)
        self._opened: tuple[Store, Telemetry, Host] | None = None
        self._entered = False

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
        """Close the log, the models, and the store if the engine opened it.

        Runs that are watched, or were, go on to their end first; where we are cancelled
        they are broken off, and kept as they were last stored.
        """
        if self._opened is not None:
            broken_off = error is not None and not isinstance(error, Exception)
            await settle(self._opened[2].watched, break_off=broken_off)
        for model in (self._model, *(one.model for one in self._workflows.values())):
            if isinstance(model, Closeable):
                await model.aclose()
        if self._opened is not None:
            store, telemetry, host = self._opened
            await host.close()
            telemetry.close()
            if isinstance(self._store_wanted, str):
                await store.close()
        self._opened, self._entered = None, False

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The workflows that it runs, by name."""
        return MappingProxyType(self._workflows)

    async def start(
        self,
        workflow: str,
        message: str,
        run_id: str | None = None,
        *,
        by: str | None = None,
        customer: str | None = None,
    ) -> Run:
        """A new run, driven until it waits for a person or has ended.

        `run_id` names it (1 to 100 letters, digits, _, ., : or -); without one it is
        given a random one of 12. `by` is who starts it, `customer` a key of your own for
        whom it is about. Raises UnknownWorkflowError,
        BadInputError for an empty message or a bad id, RunExistsError.
        """
        command = self._start(workflow, message, run_id, by, customer)
        return await self._host.start(workflow, command)

    async def submit(
        self,
        workflow: str,
        message: str,
        run_id: str | None = None,
        *,
        by: str | None = None,
        customer: str | None = None,
    ) -> Run:
        """A new run, durable, which is left to a worker; raises as `start`."""
        command = self._start(workflow, message, run_id, by, customer)
        return (await self._host.submit(workflow, command)).live

    async def resume(self, run_id: str, *, wait: bool = False) -> Run:
        """The run, driven on from where it stopped until it waits for a person or has ended.

        Raises RunBusy, naming the owner, where somebody else drives it; with `wait` it
        waits for them first.
        """
        return await self._host.resume(run_id, wait=wait)

    def worker(self, concurrency: int = 16) -> Worker:
        """What drives every run of these workflows that is ready, so many at once.

        Raises BadInputError for a concurrency below 1.
        """
        return Worker(self._host, list(self._workflows), concurrency)

    async def run(self, run_id: str) -> Run:
        """The run as it is stored, secrets too; see `masked`."""
        return (await self._host.load(run_id)).live

    async def journal(self, run_id: str) -> tuple[Recorded, ...]:
        """The run's events, oldest first, their digest chain verified; with its secrets.

        Also those of a run that was written without the audit key that there is now: somebody
        has to look at it before it is sealed.
        """
        _, events = await load_unsealed(self._host.store, run_id, self._keys)
        if not events:
            raise await unknown(self._host.store, run_id)
        return events

    async def runs(
        self,
        state: State | str | None = None,
        workflow: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Checkpoint]:
        """At most `limit` runs without their transcripts, the newest first.

        `after` is the last run of the page before. Runs whose checkpoint cannot be
        read are left out, with a warning to the `waystation` logger. Raises
        BadInputError for an unknown state or run, or a limit below 1.
        """
        page, _ = await page_of(
            self._host.store, state=state, workflow=workflow, limit=limit, after=after
        )
        return page

    async def pending(  # noqa: PLR0913 # what there is to say about a page
        self,
        *,
        workflow: str | None = None,
        tool: str | None = None,
        role: str | None = None,
        older_than: float | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[PendingApproval]:
        """About `limit` open approvals, each with its run; the oldest run first.

        Those of one run stand together. `after` is the run of the last one of the page before.
        See `runs` for damaged ones. Only those of a workflow, of a tool, that a person of that
        role may decide, or that have been waiting for more than so many seconds. They have the
        secrets that they are about; who is shown them is given those of `masked`.
        """
        wanted = Wanted(workflow, tool, role, older_than)
        now = self._clock.now()
        return await pending_in(self._host.store, wanted, now, limit=limit, after=after)

    def _start(
        self,
        workflow: str,
        message: str,
        run_id: str | None,
        by: str | None,
        customer: str | None,
    ) -> Start:
        """The command to start; what makes no sense opens no store."""
        wanted = named_in(self._workflows, workflow)
        name = new_id() if run_id is None else run_id
        command = Start(run_id=name, message=message, by=by, customer=customer)
        accept(None, wanted, command)
        return command

    @property
    def _logs(self) -> tuple[Path, ...]:
        return tuple(Path(one) for one in self._log_wanted if isinstance(one, str | Path))

    @property
    def _keeper(self) -> Keeper:
        store, telemetry = self._host.store, self._host.telemetry
        return Keeper(store, telemetry, self._clock, self._keys)

    @property
    def _host(self) -> Host:
        """What drives runs; store and log are opened when it is first needed."""
        if not self._entered:
            raise EngineError("the engine is not open; use it as `async with Engine(...)`")
        if self._opened is None:
            self._opened = self._open()
        return self._opened[2]

    def _open(self) -> tuple[Store, Telemetry, Host]:
        wanted = self._store_wanted
        telemetry = Telemetry(self._log_wanted, self._keys)
        try:
            store = open_store(wanted) if isinstance(wanted, str) else wanted
        except EngineError:
            telemetry.close()
            raise
        served = (self._clock, self._workflows, self._model, self._prices)
        host = Host(Equipment(store, telemetry, *served), self._authority, self._keys)
        return store, telemetry, host
