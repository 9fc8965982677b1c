"""What holds for every store. A store's test inherits this and says how one is made."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Entry, Head, Lease, Store


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


MINE, THEIRS = Lease("mine", 1, 30), Lease("theirs", 5, 50)


async def row(store: Store, run_id: str) -> Head:
    head = await store.head(run_id)
    assert head is not None
    return head


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

    async def test_who_waits_for_people_comes_oldest_first_in_pages(self, store: Store) -> None:
        for n in range(4):
            await store.append(addition(f"r{n}", 0, state=State.AwaitingApproval))
            await store.append(addition(f"d{n}", 0, state=State.Done))
        await store.append(addition("other", 0, state=State.AwaitingApproval, workflow="x"))
        first = await store.waiting(limit=3)
        assert [head.run_id for head in first] == ["r0", "r1", "r2"]
        rest = await store.waiting(limit=3, after="r2")
        assert [head.run_id for head in rest] == ["r3", "other"]
        assert [head.run_id for head in await store.waiting(workflow="x", limit=3)] == ["other"]
        after_ended = await store.waiting(limit=1, after="d1")
        assert [head.run_id for head in after_ended] == ["r2"], "the run of a page's end may end"

    async def test_a_page_after_an_unknown_run_is_refused(self, store: Store) -> None:
        with pytest.raises(BadInputError, match="no run 'a'"):
            await store.heads(limit=1, after="a")
        with pytest.raises(BadInputError, match="no run 'a'"):
            await store.waiting(limit=1, after="a")

    async def test_the_logged_mark_is_kept(self, store: Store) -> None:
        await store.append(addition("a", 0, 3))
        await store.mark_logged("a", 2)
        head = await store.head("a")
        assert head is not None
        assert (head.logged, head.seq) == (2, 3)

    async def test_the_mark_never_goes_back(self, store: Store) -> None:
        await store.append(addition("a", 0, 3))
        await store.mark_logged("a", 2)
        await store.mark_logged("a", 1)
        await store.append(addition("a", 3, logged=0))
        assert (await row(store, "a")).logged == 2

    async def test_the_first_entries_bring_their_lease_and_later_ones_leave_it(
        self, store: Store
    ) -> None:
        await store.append(addition("a", 0, lease=MINE))
        await store.append(addition("a", 1, lease=replace(MINE, owner="x", expires=1)))
        assert (await row(store, "a")).lease == MINE

    @pytest.mark.parametrize("epoch", [0, 2])
    async def test_another_epoch_is_a_conflict_and_changes_nothing(
        self, store: Store, epoch: int
    ) -> None:
        kept = addition("a", 0, lease=MINE)
        await store.append(kept)
        with pytest.raises(ConflictError, match="run a is at seq 1"):
            await store.append(addition("a", 1, lease=Lease("old", epoch, 9)))
        assert tuple(await store.entries("a")) == kept.entries
        assert await store.head("a") == kept.head

    @pytest.mark.parametrize("seen", [Lease(), replace(MINE, epoch=2), replace(MINE, expires=31)])
    async def test_a_claim_on_what_is_no_longer_so_fails(self, store: Store, seen: Lease) -> None:
        await store.append(addition("a", 0, lease=MINE))
        assert not await store.claim("a", seen, THEIRS)
        assert not await store.claim("b", Lease(), THEIRS)
        head = await row(store, "a")
        assert (head.lease, head.tries) == (MINE, 0)

    async def test_of_many_claims_at_once_one_wins(self, store: Store) -> None:
        await store.append(addition("a", 0))
        claims = [store.claim("a", Lease(), Lease(f"driver {n}", 1, 9)) for n in range(20)]
        won = await asyncio.gather(*claims)
        assert sum(won) == 1
        assert (await row(store, "a")).lease.owner == f"driver {won.index(True)}"

    async def test_a_claim_counts_a_try_and_a_commit_or_a_good_end_forgets_them(
        self, store: Store
    ) -> None:
        await store.append(addition("a", 0))
        seen = Lease()
        for tries in (1, 2):
            lease = Lease("driver", tries, 9)
            assert await store.claim("a", seen, lease)
            await store.release("a", lease, moved=False)
            seen = Lease(epoch=tries)
            head = await row(store, "a")
            assert (head.lease, head.tries) == (seen, tries)
        assert await store.claim("a", seen, Lease("driver", 3, 9))
        await store.append(addition("a", 1, lease=Lease("driver", 3, 9)))
        assert (await row(store, "a")).tries == 0
        await store.release("a", Lease("driver", 3, 9), moved=False)
        assert await store.claim("a", Lease(epoch=3), Lease("driver", 4, 9))
        await store.release("a", Lease("driver", 4, 9), moved=True)
        assert (await row(store, "a")).tries == 0

    async def test_an_owner_s_leases_are_renewed_together_and_nobody_else_s(
        self, store: Store
    ) -> None:
        for run_id, lease in (("a", MINE), ("b", THEIRS), ("c", MINE), ("d", Lease())):
            await store.append(addition(run_id, 0, lease=lease))
        await store.renew(MINE.owner, 77)
        await store.renew("", 77)
        expiries = [(await row(store, run_id)).lease.expires for run_id in "abcd"]
        assert expiries == [77, THEIRS.expires, 77, 0]

    async def test_only_its_holder_ends_a_lease_even_after_renewals(self, store: Store) -> None:
        await store.append(addition("a", 0, lease=MINE))
        await store.renew(MINE.owner, 77)
        for other in (THEIRS, replace(MINE, epoch=9), replace(MINE, owner="x")):
            await store.release("a", other, moved=True)
        assert (await row(store, "a")).lease == replace(MINE, expires=77)
        await store.release("a", MINE, moved=True)
        assert (await row(store, "a")).lease == Lease(epoch=MINE.epoch)
        await store.release("never", MINE, moved=True)

    async def test_ready_are_those_that_are_due_free_known_and_not_set_aside(
        self, store: Store
    ) -> None:
        heads: tuple[tuple[str, dict[str, Any]], ...] = (
            ("late", {"ready_at": 11}),
            ("second", {"ready_at": 10}),
            ("first", {"ready_at": 3}),
            ("asleep", {"ready_at": None}),
            ("driven", {"ready_at": 1, "lease": MINE}),
            ("foreign", {"ready_at": 1, "workflow": "other"}),
        )
        for run_id, head in heads:
            await store.append(addition(run_id, 0, **head))
        for epoch in (1, 2):
            await store.claim("first", Lease(epoch=epoch - 1), Lease("x", epoch, 9))
            await store.release("first", Lease("x", epoch, 9), moved=False)

        async def ready(tries: int = 9, limit: int = 9, *workflows: str) -> list[str]:
            found = await store.ready(now=10, workflows=workflows, tries=tries, limit=limit)
            return [head.run_id for head in found]

        assert await ready(9, 9, "shop") == ["first", "second"]
        assert await ready(9, 1, "shop") == ["first"]
        assert await ready(2, 9, "shop") == ["second"]
        assert await ready(9, 9, "other", "shop") == ["foreign", "first", "second"]
        assert await ready(9, 9, "' OR 1=1 --", "[]", "%") == []
        assert await ready(9, 9) == []

    async def test_leased_are_those_that_somebody_drives(self, store: Store) -> None:
        for run_id, lease in (("a", MINE), ("b", Lease(epoch=3)), ("c", THEIRS)):
            await store.append(addition(run_id, 0, lease=lease))
        assert [head.run_id for head in await store.leased()] == ["a", "c"]
        await store.release("a", MINE, moved=True)
        assert [head.run_id for head in await store.leased()] == ["c"]

    async def test_owed_are_those_that_nobody_drives_and_the_log_lacks(self, store: Store) -> None:
        heads: tuple[tuple[str, dict[str, Any]], ...] = (
            ("a", {}),
            ("b", {"logged": 2}),
            ("c", {"lease": MINE}),
            ("d", {"logged": 1}),
        )
        for run_id, head in heads:
            await store.append(addition(run_id, 0, 2, **head))
        assert [head.run_id for head in await store.owed(9)] == ["a", "d"]
        assert [head.run_id for head in await store.owed(1)] == ["a"]
        await store.mark_logged("a", 2)
        await store.release("c", MINE, moved=True)
        assert [head.run_id for head in await store.owed(9)] == ["c", "d"]
