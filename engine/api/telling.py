"""What a store holds, as it may be told: to a screen, a file, or another program."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable

from engine.api.looking import Wanted, journals_in, page_of, pending_in
from engine.codec.checkpoints import decode_checkpoint
from engine.core.effects import Park
from engine.core.events import Recorded
from engine.core.record import CallRecord, record_of
from engine.core.run import Checkpoint, PendingApproval, Run
from engine.core.secrecy import Secrecy
from engine.core.states import State
from engine.core.workflow import Workflow
from engine.errors import UnreadableRunError
from engine.replaying.upcoming import Foreseen, Upcoming, upcoming, upcoming_alone
from engine.runtime.host import Host
from engine.runtime.load import load, load_unsealed, unknown
from engine.runtime.watching import Updates


class Masked:
    """The looking methods of an Engine, their results without secrets.

    Everything that a run's secrets can be told by is masked: see `Secrecy`. Only what is
    known of a run without its journal, where nothing of it was declared secret, is taken
    from its checkpoint alone.
    """

    def __init__(self, host: Host) -> None:
        """Take what has the store."""
        self._host = host

    async def run(self, run_id: str) -> Run:
        """See Engine."""
        draft = await self._host.load(run_id)
        return draft.secrecy.told(draft.live)

    async def upcoming(self, run_id: str, workflow: Workflow | None = None) -> Foreseen:
        """What comes next of the run, and what the model is sent then; nothing of it is done.

        As `workflow` has it, or else the engine's own of that name; without either as far as the
        run alone tells.
        """
        draft = await self._host.load(run_id)
        workflow = workflow or self._host.equipment.workflows.get(draft.live.workflow)
        now = self._host.clock.now()
        following = upcoming(draft.live, workflow, now) if workflow else upcoming_alone(draft.live)
        return (following or Upcoming(Park(), (), draft.live)).told(draft.secrecy)

    async def journal(self, run_id: str) -> tuple[Recorded, ...]:
        """See Engine."""
        draft, events = await load_unsealed(self._host.store, run_id, self._host.keys)
        if not events:
            raise await unknown(self._host.store, run_id)
        return tuple(map(draft.secrecy.told, events))

    async def runs(
        self,
        state: State | str | None = None,
        workflow: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[Checkpoint]:
        """See Engine."""
        store = self._host.store
        page, _ = await page_of(store, state=state, workflow=workflow, limit=limit, after=after)
        return [(await self._secrecy(run.id, run)).told(run) for run in page]

    async def pending(  # noqa: PLR0913 # as Engine has it
        self,
        *,
        workflow: str | None = None,
        tool: str | None = None,
        role: str | None = None,
        older_than: float | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[PendingApproval]:
        """See Engine."""
        wanted, now = Wanted(workflow, tool, role, older_than), self._host.clock.now()
        found = await pending_in(self._host.store, wanted, now, limit=limit, after=after)
        known: dict[str, Secrecy] = {}
        for asked in found:
            if asked.run_id not in known:
                known[asked.run_id] = await self._secrecy(asked.run_id)
        return [known[asked.run_id].told(asked) for asked in found]

    def watch(self, run_id: str, doing: Awaitable[Run]) -> Updates:
        """See Engine. Text is held back as long as it may be the beginning of a secret."""
        return Updates(self._host, run_id, doing, masked=True)

    async def audit(
        self, *, workflow: str | None = None, damaged: list[str] | None = None
    ) -> AsyncIterator[CallRecord]:
        """See Engine."""
        journals = journals_in(self._host.store, self._host.keys, workflow, damaged)
        async for journal in journals:
            secrecy = Secrecy.over(journal)
            for record in record_of(journal):
                yield secrecy.told(record)

    async def _secrecy(self, run_id: str, run: Checkpoint | None = None) -> Secrecy:
        """What is known of a run: all, where its workflow declared anything secret."""
        if run is None:
            head = await self._host.store.head(run_id)
            run = decode_checkpoint(head.checkpoint) if head else None
        if run is None:
            return Secrecy()
        if not (run.secrets or run.redact):
            return Secrecy.of(run)
        try:
            return (await load(self._host.store, run_id, self._host.keys)).secrecy
        except UnreadableRunError:
            return Secrecy.of(run)


class Telling(ABC):
    """The part of an Engine by which it is looked at from outside."""

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What has the store."""

    @property
    def masked(self) -> Masked:
        """`run`, `runs`, `journal`, `pending`, `watch` and `audit` again, without secrets.

        And `upcoming`: what comes next of a run, and what the model is sent then.

        For whatever leaves the program: what they give is for reading, not to go on with.
        """
        return Masked(self._host)
