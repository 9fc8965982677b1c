"""Looking through every run: what was decided in them, and whether they hold together."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable

from engine.api.looking import records_in
from engine.codec.chain import AuditKeys
from engine.core.record import CallRecord
from engine.keeping.keeper import Keeper
from engine.runtime.host import Host
from engine.runtime.verify import Anchor, Examined, anchors_of, by_run, examine


class Auditing(ABC):
    """The part of an Engine that reads all the journals of a store."""

    _keys: AuditKeys

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What drives runs."""

    @property
    @abstractmethod
    def _keeper(self) -> Keeper:
        """What knows where archived runs are."""

    async def audit(
        self, *, workflow: str | None = None, damaged: list[str] | None = None
    ) -> AsyncIterator[CallRecord]:
        """Every call of every run, the newest run first: who asked, who decided, what came of it.

        What is wrong with runs that do not hold together is added to `damaged`.
        """
        async for record in records_in(self._host.store, self._keys, workflow, damaged):
            yield record

    async def damaged(self) -> dict[str, str]:
        """What is wrong with each run that does not hold together, by the run's id.

        Every journal is read and verified; a fault of the file itself comes under "".
        """
        return (await self.examine()).damaged

    async def examine(self, anchors: Iterable[Anchor] = ()) -> Examined:
        """What holds together, and what does not; every journal is read and verified.

        What is not as it was anchored, or is gone since, is damaged.
        """
        from engine.keeping.check import examine_archives

        wanted = by_run(anchors)
        found = await examine(self._host.store, self._keys, wanted)
        await examine_archives(self._keeper, found, wanted)
        return found

    async def anchors(self, damaged: list[str] | None = None) -> AsyncIterator[Anchor]:
        """The newest event of every run that holds together, to be kept elsewhere.

        What is wrong with the others is added to `damaged`.
        """
        async for one in anchors_of(self._host.store, self._keys, damaged):
            yield one
