"""What holds for every store. A store's test inherits this and says how one is made."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Entry, Head, Store


def addition(run_id: str, expected: int, count: int = 1, **head: object) -> Append:
    """So many entries after `expected`."""
    entries = tuple(
        Entry(
            seq, seq * 1000, "run_started", b'{"n": %d}' % seq, hashlib.sha256(b"%d" % seq).digest()
        )
        for seq in range(expected + 1, expected + count + 1)
    )
    row = Head(run_id, "shop", State.AwaitingModel, expected + count, 0, b"{}")
    return Append(expected, entries, replace(row, **head))  # type: ignore[arg-type] # fields by name


class StoreContract:
    """Override `store`."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    async def test_what_was_appended_is_read_back(self, store: Store) -> None:
        first, second = addition("a", 0, 2), addition("a", 2, 1, state=State.Done, checkpoint=b"x")
        await store.append(first)
        await store.append(second)
        assert tuple(await store.entries("a")) == first.entries + second.entries
        assert await store.head("a") == second.head

    async def test_an_unknown_run_is_empty(self, store: Store) -> None:
        assert tuple(await store.entries("a")) == ()
        assert await store.head("a") is None

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_wrong_seq_is_a_conflict_and_changes_nothing(
        self, store: Store, expected: int
    ) -> None:
        kept = addition("a", 0, 2)
        await store.append(kept)
        with pytest.raises(ConflictError, match=f"run a is at seq 2, not {expected}"):
            await store.append(addition("a", expected))
        assert tuple(await store.entries("a")) == kept.entries
        assert await store.head("a") == kept.head

    async def test_a_run_cannot_go_on_before_it_began(self, store: Store) -> None:
        with pytest.raises(ConflictError, match="at seq 0"):
            await store.append(addition("a", 3))
        assert await store.head("a") is None

    async def test_of_many_at_once_one_wins_and_the_neighbours_are_unharmed(
        self, store: Store
    ) -> None:
        await store.append(addition("a", 0))
        racing = [store.append(addition("a", 1)) for _ in range(20)]
        others = [store.append(addition(f"b{n}", 0)) for n in range(20)]
        outcomes = await asyncio.gather(*racing, *others, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes[:20]) == 1
        assert sum(isinstance(outcome, ConflictError) for outcome in outcomes[:20]) == 19
        assert outcomes[20:] == [None] * 20
        assert len(await store.entries("a")) == 2

    async def test_heads_come_newest_first_in_pages(self, store: Store) -> None:
        for n in range(5):
            await store.append(addition(f"r{n}", 0))
        await store.append(addition("r0", 1))
        first = await store.heads(limit=3)
        rest = await store.heads(limit=3, after=first[-1].run_id)
        assert [head.run_id for head in first] == ["r4", "r3", "r2"]
        assert [head.run_id for head in rest] == ["r1", "r0"]

    async def test_heads_are_filtered_by_state_and_workflow(self, store: Store) -> None:
        for n, state in enumerate(State):
            await store.append(addition(f"x{n}", 0, state=state, workflow="x"))
            await store.append(addition(f"y{n}", 0, state=state, workflow="y"))
        done = await store.heads(state=State.Done, limit=9)
        assert [head.run_id for head in done] == ["y3", "x3"]
        assert len(await store.heads(workflow="x", limit=9)) == 5
        both = await store.heads(state=State.Done, workflow="x", limit=9)
        assert [head.run_id for head in both] == ["x3"]

    async def test_a_filter_is_a_value_never_a_query(self, store: Store) -> None:
        await store.append(addition("a", 0))
        assert tuple(await store.heads(workflow="' OR 1=1 --", limit=9)) == ()
        assert len(await store.heads(limit=9)) == 1

    async def test_a_page_after_an_unknown_run_is_refused(self, store: Store) -> None:
        with pytest.raises(BadInputError, match="no run 'a'"):
            await store.heads(limit=1, after="a")

    async def test_the_logged_mark_is_kept(self, store: Store) -> None:
        await store.append(addition("a", 0, 3))
        await store.mark_logged("a", 2)
        head = await store.head("a")
        assert head is not None
        assert (head.logged, head.seq) == (2, 3)
