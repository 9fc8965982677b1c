"""What it takes to look after ended runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from engine.codec.chain import AuditKeys
from engine.ports import Archived, Clock, Head, Store
from engine.runtime.owner import Owner
from engine.runtime.telemetry import Telemetry

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Keeper:
    """A store, the log that is told, the time, and the audit keys."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    keys: AuditKeys

    async def rows(self, place: str | None = None) -> AsyncIterator[Archived]:
        """What is left of each archived run, by place; only those in `place`, if any."""
        after: Archived | None = None
        while page := await self.store.archives(limit=_PAGE, after=after, place=place):
            for row in page:
                yield row
            after = page[-1]

    async def places(self) -> list[str]:
        """The files that have archived runs."""
        return list({row.place: None async for row in self.rows()})


def drives(head: Head) -> str | None:
    """Who drives the run, in words; None where nobody does who is known to live."""
    owner = Owner.read(head.lease.owner)
    return None if owner is None or owner.is_dead else owner.in_words()
