"""What holds for every store of runs that leave it, and of entries of which less is left."""

from dataclasses import replace

import pytest

from engine.core.states import State
from engine.errors import ConflictError
from engine.ports import Append, Archived, Entry, Store
from tests.stores.contract import addition


def left(run_id: str, seq: int = 2, place: str = "/a.gz") -> Archived:
    """What is left of a run that `addition` made."""
    entry = addition(run_id, seq - 1).entries[-1]
    return Archived(run_id, "shop", State.Done, seq, entry.digest, 7, place)


def less(addition: Append, seq: int) -> Entry:
    """One of its entries, of which less is left."""
    return addition.entries[seq - 1]._replace(data=b"{}", cover=bytes([seq]) * 32)


class LeavingContract:
    """Override `store`."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    async def test_a_run_that_is_archived_leaves_a_row(self, store: Store) -> None:
        for run_id in "ab":
            await store.append(addition(run_id, 0, 2, state=State.Done))
        await store.archive(left("a"))
        assert await store.head("a") is None
        assert tuple(await store.entries("a")) == ()
        assert await store.archived("a") == left("a")
        assert await store.archived("b") is None
        assert [head.run_id for head in await store.heads(limit=9)] == ["b"]
        await store.mark_logged("a", 2)
        assert await store.tidy()

    @pytest.mark.parametrize("row", [left("a", 1), left("a", 3), left("b")])
    async def test_one_that_has_moved_on_stays(self, store: Store, row: Archived) -> None:
        kept = addition("a", 0, 2)
        await store.append(kept)
        for other in (row, replace(left("a"), digest=bytes(32))):
            with pytest.raises(ConflictError, match=f"run {other.run_id} is not at seq"):
                await store.archive(other)
        assert tuple(await store.entries("a")) == kept.entries
        assert await store.archived(row.run_id) is None

    async def test_its_id_is_only_for_the_whole_run_itself(self, store: Store) -> None:
        whole = addition("a", 0, 2)
        await store.append(whole)
        await store.archive(left("a"))
        for other in (addition("a", 0, 1), addition("a", 2, 1)):
            with pytest.raises(ConflictError):
                await store.append(other)
        assert await store.archived("a") == left("a")
        await store.append(whole)
        assert await store.archived("a") is None
        assert tuple(await store.entries("a")) == whole.entries

    async def test_rows_come_by_place_in_pages(self, store: Store) -> None:
        for run_id, place in zip("abcd", ("/b", "/a", "/b", "/a"), strict=True):
            await store.append(addition(run_id, 0, 2))
            await store.archive(left(run_id, place=place))
        first = await store.archives(limit=3)
        rest = await store.archives(limit=3, after=first[-1])
        assert [row.run_id for row in (*first, *rest)] == ["b", "d", "a", "c"]
        assert [row.run_id for row in await store.archives(limit=1, place="/b")] == ["a"]
        after = await store.archives(limit=9, place="/b", after=left("a", place="/b"))
        assert [row.run_id for row in after] == ["c"]

    async def test_a_row_is_changed_by_who_saw_it_as_it_is(self, store: Store) -> None:
        await store.append(addition("a", 0, 2))
        await store.archive(left("a"))
        new = replace(left("a"), seq=3, digest=bytes(32))
        with pytest.raises(ConflictError):
            await store.rearchive(new, new)
        await store.rearchive(left("a"), new)
        assert await store.archived("a") == new

    async def test_less_is_left_of_older_entries_with_the_commit_that_says_so(
        self, store: Store
    ) -> None:
        first, more = addition("a", 0, 3), addition("a", 3)
        await store.append(first)
        await store.append(replace(more, replaced=(less(first, 1), less(first, 3))))
        wanted = [less(first, 1), first.entries[1], less(first, 3), *more.entries]
        assert list(await store.entries("a")) == wanted

    @pytest.mark.parametrize(
        "change", [{"digest": bytes(32)}, {"seq": 9}, {"kind": "x"}, {"at": 1}]
    )
    async def test_another_entry_than_the_one_there_replaces_nothing(
        self, store: Store, change: dict[str, bytes | int | str]
    ) -> None:
        first = addition("a", 0, 3)
        await store.append(first)
        other = less(first, 1)._replace(**change)  # type: ignore[arg-type] # fields by name
        with pytest.raises(ConflictError, match="no such event at seq"):
            await store.append(replace(addition("a", 3), replaced=(less(first, 2), other)))
        assert tuple(await store.entries("a")) == first.entries
        assert await store.head("a") == first.head
