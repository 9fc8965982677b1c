"""Takes runs up: what people ask of them, and driving them on, one driver at a time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from weakref import WeakValueDictionary

from engine.codec.chain import PLAIN, AuditKeys
from engine.core.accept import accept
from engine.core.approvers import Authority
from engine.core.commands import Abort, Command, Seal, Start
from engine.core.deadlines import overdue
from engine.core.events import Recorded
from engine.core.ready import ready_at
from engine.core.run import Run
from engine.errors import (
    BadInputError,
    ConflictError,
    CorruptRunError,
    EngineError,
    NotAllowedError,
    RefusedError,
    RunBusy,
    RunExistsError,
)
from engine.ports import Head, Lease
from engine.runtime.acting import require_no_tool
from engine.runtime.adopt import adopt, born
from engine.runtime.commit import commit, settle_log
from engine.runtime.draft import Draft
from engine.runtime.equipment import Equipment
from engine.runtime.knowing import knowing
from engine.runtime.lease import Leases
from engine.runtime.load import load, load_unsealed, unknown
from engine.runtime.watching import Updates


class Host:
    """The runs of a store, with the workflows and the model that move them."""

    def __init__(
        self, equipment: Equipment, authority: Callable[[], Authority], keys: AuditKeys = PLAIN
    ) -> None:
        """Take what there is to work with.

        `authority` says, each time that somebody decides, who may.
        """
        self.equipment, self.store, self.clock = equipment, equipment.store, equipment.clock
        self.telemetry, self.keys = equipment.telemetry, keys
        self.watched: set[Updates] = set()
        self._authority = authority
        self._leases = Leases(self.store, self.clock)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Nothing; nothing is renewed any more."""
        await self._leases.close()

    async def submit(self, workflow: str, command: Start) -> Draft:
        """A new run, durable, which nobody drives yet."""
        draft = await self._begin(workflow, command, Lease())
        await settle_log(draft, self.store, self.telemetry)
        return draft

    async def start(self, workflow: str, command: Start) -> Run:
        """A new run, driven on."""
        lease = self._leases.first()
        async with self._lock(command.run_id), self._leases.kept(command.run_id, lease):
            draft = await self._begin(workflow, command, lease)
            await self._drive_patiently(draft)
        return await self._unless_moved(draft)

    async def adopt(self, journal: Sequence[Recorded], *, detach: bool) -> Run:
        """A new run with that journal, durable, and then driven on unless it is left alone."""
        start, lease = born(journal), Lease()
        self.equipment.driver(start.workflow)  # what could not be driven on is not taken
        if detach:
            draft = await adopt(self.store, self.telemetry, self.keys, journal, lease)
            await settle_log(draft, self.store, self.telemetry)
            return draft.live
        lease = self._leases.first()
        async with self._lock(start.run_id), self._leases.kept(start.run_id, lease):
            draft = await adopt(self.store, self.telemetry, self.keys, journal, lease)
            await self._drive_patiently(draft)
        return await self._unless_moved(draft)

    async def resume(self, run_id: str, *, wait: bool = False) -> Run:
        """The run, driven on; RunBusy where somebody else drives it, unless we `wait` for them."""
        return await self._resume(await self.load(run_id), wait=wait)

    async def tell(self, run_id: str, *commands: Command) -> Run:
        """The run, after commands were taken, all or none, and it was driven on.

        That is done here, or by who drives it already.
        """
        return await self._go_on(await self._take(run_id, commands))

    async def take_up(self, head: Head, stopping: asyncio.Event) -> datetime | None:
        """Until when the run waits, once it is driven that far; see `Driver.drive`.

        Raises RunBusy where it cannot be had.
        """
        async with self._lock(head.run_id):
            try:
                draft = await self.load(head.run_id)  # what is too new is left as it is
            except CorruptRunError:
                draft = Draft(self.keys)  # found again under the lease, and counted as a try
            lease = await self._leases.try_take(head)
            if lease is None:
                raise RunBusy(f"run {head.run_id} is driven by somebody else")
            async with self._leases.kept(head.run_id, lease):
                draft = await self._under(lease, draft, head.run_id)
                driver = self.equipment.driver(draft.live.workflow, stopping)
                until = await driver.drive(draft)
                await driver.settle(draft)
                return until

    async def settle(self, run_id: str) -> None:
        """Nothing; writes the lines that the log is still owed of a run."""
        await settle_log(await self.load(run_id), self.store, self.telemetry)

    async def seal(self, run_id: str, command: Seal) -> bool:
        """Whether what a run has without an audit key was put under the newest one.

        False where it was already. Raises BadInputError where there is no key.
        """
        if not self.keys.newest:
            raise BadInputError("there is no audit key to seal with (WAYSTATION_AUDIT_KEY)")
        require_no_tool(command)
        while True:
            draft, _ = await load_unsealed(self.store, run_id, self.keys)
            if draft.run is None:
                raise await unknown(self.store, run_id)
            if draft.key:
                return False
            if draft.forgeable:
                raise RefusedError(
                    f"run {run_id} cannot be sealed: something in it was masked without an audit "
                    "key, and can be changed by anybody; go on with it without one"
                )
            events = accept(draft.run, None, command, self._authority())
            draft.record(events, self.clock.now())
            try:
                await settle_log(draft, self.store, self.telemetry)
            except ConflictError:
                continue
            return True

    async def load(self, run_id: str) -> Draft:
        """The run as it is stored; UnknownRunError, UnreadableRunError."""
        draft = await load(self.store, run_id, self.keys)
        if draft.run is None:
            raise await unknown(self.store, run_id)
        return draft

    def is_free(self, head: Head) -> bool:
        """Whether nobody drives the run, or its driver is dead."""
        return self._leases.is_free(head)

    async def _begin(self, workflow: str, command: Start, lease: Lease) -> Draft:
        declared = self.equipment.workflow(workflow)
        self.equipment.require_priced(declared)
        draft = await load(self.store, command.run_id, self.keys)
        events = accept(draft.run, declared, command)
        if draft.run is None and (gone := await self.store.archived(command.run_id)):
            words = f"was archived in {gone.place}; its id is not used again"
            raise RunExistsError(f"run {gone.run_id} {words}")
        draft.lease = lease
        events = await knowing(events, declared, self.store, self.clock)
        draft.record(events, self.clock.now())
        await commit(draft, self.store, self.telemetry)
        return draft

    async def _take(self, run_id: str, commands: Sequence[Command]) -> Draft:
        """The run with what follows from commands, durable; re-read where somebody was faster."""
        while True:
            draft = await self.load(run_id)
            try:
                await self._expire(draft)
                for command in commands:
                    self._record(draft, command)
                await commit(draft, self.store, self.telemetry)
            except ConflictError:
                continue
            return draft

    async def _expire(self, draft: Draft) -> None:
        """Nothing; what fell due has come to pass, whatever becomes of the command."""
        if due := overdue(draft.live, self.clock.now()):
            draft.record(due, self.clock.now())
            await commit(draft, self.store, self.telemetry)

    def _record(self, draft: Draft, command: Command) -> None:
        run = draft.live
        workflow = self.equipment.workflows.get(run.workflow)
        try:
            require_no_tool(command)
            if not isinstance(command, Abort):
                self.equipment.driver(run.workflow)  # what could not be driven on is not taken
            events = accept(run, workflow, command, self._authority())
        except EngineError as error:
            secrecy = draft.secrecy.hearing(command)
            secrecy.tell(error)
            if isinstance(error, NotAllowedError):
                self.telemetry.refuse(run, command, error, self.clock.now(), secrecy)
            raise
        draft.record(events, self.clock.now())

    async def _resume(self, draft: Draft, *, wait: bool) -> Run:
        run_id = draft.live.id
        async with self._lock(run_id):
            head = await self.store.head(run_id)
            if head is None or head.seq != draft.live.seq:
                draft = await self.load(run_id)
            if head is None or ready_at(draft.live) is None:
                await settle_log(draft, self.store, self.telemetry)
                await self._leases.clear(head)
                return draft.live
            self.equipment.driver(draft.live.workflow)
            lease = await self._leases.take(head, wait=wait)
            async with self._leases.kept(run_id, lease):
                draft = await self._under(lease, draft, run_id)
                await self._drive_patiently(draft)
        return await self._unless_moved(draft)

    async def _under(self, lease: Lease, draft: Draft, run_id: str) -> Draft:
        """The run under our lease; read again where somebody else had it since `draft`."""
        if draft.run is None or lease.epoch != draft.lease.epoch + 1:
            draft = await self.load(run_id)
        draft.lease = lease  # whatever the row says: it may be another's by now
        return draft

    async def _drive_patiently(self, draft: Draft) -> None:
        """Drive until the run waits for a person or has ended; other waits are sat out."""
        driver = self.equipment.driver(draft.live.workflow)
        while (until := await driver.drive(draft)) is not None:
            await self.clock.sleep_until(until)
        await driver.settle(draft)

    async def _unless_moved(self, draft: Draft) -> Run:
        """The run; driven on where a command came in just before the lease was given back."""
        head = await self.store.head(draft.live.id)
        if head is None or head.seq == draft.live.seq:
            return draft.live
        return await self._go_on(await self.load(draft.live.id))

    async def _go_on(self, draft: Draft) -> Run:
        """The run, driven on unless somebody else does so already."""
        try:
            return await self._resume(draft, wait=False)
        except RunBusy:
            return (await self.load(draft.live.id)).live

    def _lock(self, run_id: str) -> asyncio.Lock:
        return self._locks.setdefault(run_id, asyncio.Lock())
