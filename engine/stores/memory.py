"""A store in memory: for tests, and for runs that need not outlive their process."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Entry, Head, Lease


class MemoryStore:
    """Journals in dictionaries, begun in order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._heads: dict[str, Head] = {}
        self._entries: dict[str, list[Entry]] = {}

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
        self._entries.setdefault(head.run_id, []).extend(addition.entries)
        logged = max(head.logged, now.logged if now else 0)
        self._heads[head.run_id] = replace(head, lease=lease, logged=logged, tries=0)

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
        if after is not None and after not in self._heads:
            raise BadInputError(f"there is no run {after!r} to go on after")
        older = begun[: begun.index(after)] if after is not None else begun
        found = (
            head
            for head in (self._heads[run_id] for run_id in reversed(older))
            if state in (None, head.state) and workflow in (None, head.workflow)
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
        head = self._heads[run_id]
        self._heads[run_id] = replace(head, logged=max(head.logged, seq))

    async def close(self) -> None:
        """See Store."""
