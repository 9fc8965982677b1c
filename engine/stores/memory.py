"""A store in memory: for tests, and for runs that need not outlive their process."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Archived, Entry, Head, Lease
from engine.stores.memory_facts import MemoryFacts


class MemoryStore(MemoryFacts):
    """Journals in dictionaries, begun in order; and facts."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._heads: dict[str, Head] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._archived: dict[str, Archived] = {}

    async def append(self, addition: Append) -> None:
        """See Store."""
        head = addition.head
        now = self._heads.get(head.run_id)
        newest, lease = (now.seq, now.lease) if now else (0, head.lease)
        if (newest, lease.epoch) != (addition.expected, head.lease.epoch):
            raise ConflictError(
                f"run {head.run_id} is at seq {newest}, not {addition.expected}: "
                "somebody else has moved it on, or taken it over"
            )
        entries = self._replaced(addition)
        self._put_back(addition)
        entries.extend(addition.entries)
        self._entries[head.run_id] = entries
        logged = max(head.logged, now.logged if now else 0)
        self._heads[head.run_id] = replace(head, lease=lease, logged=logged, tries=0)
        self._change_memory(addition.memory)

    async def entries(self, run_id: str) -> Sequence[Entry]:
        """See Store."""
        return tuple(self._entries.get(run_id, ()))

    async def head(self, run_id: str) -> Head | None:
        """See Store."""
        return self._heads.get(run_id)

    async def heads(
        self,
        *,
        state: State | None = None,
        workflow: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> Sequence[Head]:
        """See Store."""
        begun = list(self._heads)
        older = begun[: self._place(begun, after)] if after is not None else begun
        found = (
            head
            for head in (self._heads[run_id] for run_id in reversed(older))
            if state in (None, head.state) and workflow in (None, head.workflow)
        )
        return tuple(islice(found, limit))

    async def waiting(
        self, *, workflow: str | None = None, limit: int, after: str | None = None
    ) -> Sequence[Head]:
        """See Store."""
        begun = list(self._heads)
        younger = begun[self._place(begun, after) + 1 :] if after is not None else begun
        found = (
            head
            for head in map(self._heads.__getitem__, younger)
            if head.state == State.AwaitingApproval and workflow in (None, head.workflow)
        )
        return tuple(islice(found, limit))

    async def ready(
        self, *, now: int, workflows: Sequence[str], tries: int, limit: int
    ) -> Sequence[Head]:
        """See Store."""
        found = [
            (head.ready_at, head)
            for head in self._heads.values()
            if head.ready_at is not None and head.ready_at <= now and not head.lease.owner
            if head.workflow in workflows and head.tries < tries
        ]
        return [head for _, head in sorted(found, key=lambda one: one[0])[:limit]]

    async def leased(self) -> Sequence[Head]:
        """See Store."""
        return [head for head in self._heads.values() if head.lease.owner]

    async def owed(self, limit: int) -> Sequence[Head]:
        """See Store."""
        heads = self._heads.values()
        owed = (head for head in heads if head.logged < head.seq and not head.lease.owner)
        return list(islice(owed, limit))

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        """See Store."""
        head = self._heads.get(run_id)
        if head is None or head.lease != seen:
            return False
        self._heads[run_id] = replace(head, lease=lease, tries=head.tries + 1)
        return True

    async def renew(self, owner: str, expires: int) -> None:
        """See Store."""
        for head in await self.leased():
            if head.lease.owner == owner:
                lease = replace(head.lease, expires=expires)
                self._heads[head.run_id] = replace(head, lease=lease)

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        """See Store."""
        head = self._heads.get(run_id)
        if head is not None and head.lease == replace(lease, expires=head.lease.expires):
            tries = 0 if moved else head.tries
            self._heads[run_id] = replace(head, lease=Lease(epoch=lease.epoch), tries=tries)

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """See Store."""
        if head := self._heads.get(run_id):
            self._heads[run_id] = replace(head, logged=max(head.logged, seq))

    async def archive(self, row: Archived) -> None:
        """See Store."""
        entries = self._entries.get(row.run_id, ())
        if not entries or (entries[-1].seq, entries[-1].digest) != (row.seq, row.digest):
            raise ConflictError(f"run {row.run_id} is not at seq {row.seq} as it was archived")
        del self._heads[row.run_id], self._entries[row.run_id]
        self._archived[row.run_id] = row

    async def rearchive(self, seen: Archived, row: Archived) -> None:
        """See Store."""
        if self._archived.get(row.run_id) != seen:
            raise ConflictError(f"run {row.run_id} is not archived as it was")
        self._archived[row.run_id] = row

    async def archived(self, run_id: str) -> Archived | None:
        """See Store."""
        return self._archived.get(run_id)

    async def archives(
        self, *, limit: int, after: Archived | None = None, place: str | None = None
    ) -> Sequence[Archived]:
        """See Store."""
        rows = sorted(self._archived.values(), key=_by_place)
        beyond = (one for one in rows if after is None or _by_place(one) > _by_place(after))
        return list(islice((one for one in beyond if place in (None, one.place)), limit))

    async def tidy(self) -> bool:
        """See Store."""
        return True

    async def close(self) -> None:
        """See Store."""

    def _place(self, begun: list[str], after: str) -> int:
        """Where a run stands in the order of beginning."""
        if after not in self._heads:
            raise BadInputError(f"there is no run {after!r} to go on after")
        return begun.index(after)

    def _replaced(self, addition: Append) -> list[Entry]:
        """The run's entries; where some replace others of the same digest, a list of its own."""
        entries = self._entries.get(addition.head.run_id, [])
        if addition.replaced:
            entries = entries.copy()
        for one in addition.replaced:
            there = entries[one.seq - 1] if 0 < one.seq <= len(entries) else None
            if there is None or there._replace(data=one.data, cover=one.cover) != one:
                words = f"has no such event at seq {one.seq} to replace"
                raise ConflictError(f"run {addition.head.run_id} {words}")
            entries[one.seq - 1] = one
        return entries

    def _put_back(self, addition: Append) -> None:
        row = self._archived.get(addition.head.run_id)
        if addition.expected or row is None:
            return
        if not row.is_in(addition.entries):
            raise ConflictError(f"run {row.run_id} was archived in {row.place}")
        del self._archived[row.run_id]


def _by_place(row: Archived) -> tuple[str, str]:
    return row.place, row.run_id
