"""A store in memory: for tests, and for runs that need not outlive their process."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Entry, Head


class MemoryStore:
    """Journals in dictionaries, begun in order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._heads: dict[str, Head] = {}
        self._entries: dict[str, list[Entry]] = {}

    async def append(self, addition: Append) -> None:
        """See Store."""
        head = addition.head
        newest = self._heads[head.run_id].seq if head.run_id in self._heads else 0
        if newest != addition.expected:
            raise ConflictError(
                f"run {head.run_id} is at seq {newest}, not {addition.expected}: "
                "somebody else has moved it on"
            )
        self._entries.setdefault(head.run_id, []).extend(addition.entries)
        self._heads[head.run_id] = head

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

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """See Store."""
        self._heads[run_id] = replace(self._heads[run_id], logged=seq)

    async def close(self) -> None:
        """See Store."""
