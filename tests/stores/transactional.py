"""What holds besides for every store in whose transactions a tool can write."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.core.context import Transaction
from engine.errors import ConflictError
from engine.ports import Append, Lease, Store, Transactional
from engine.remembering import FactRow, MemoryChange
from tests.stores.contract import MINE, THEIRS, StoreContract, addition, row


class TransactionalContract(StoreContract):
    """Override `store`."""

    @pytest.fixture
    async def tables(self, store: Store) -> Transactional:
        """The store, with a run and a table that a tool writes into."""
        assert isinstance(store, Transactional)

        def begin(transaction: Transaction) -> Append:
            transaction.execute("CREATE TABLE paid (order_id)")
            remembered = MemoryChange((FactRow("chloe", "1", "fact", "Tea", "a", 1, 5),))
            return replace(addition("a", 0, lease=MINE), memory=remembered)

        await store.transact(begin)
        return store

    async def paid(self, store: Transactional) -> list[object]:
        """What is in the table."""
        found: list[object] = []

        def look(transaction: Transaction) -> Append:
            found.extend(one for (one,) in transaction.execute("SELECT order_id FROM paid"))
            raise LookupError

        with pytest.raises(LookupError):
            await store.transact(look)
        return found

    async def test_a_write_and_its_entries_are_kept_together(
        self, store: Store, tables: Transactional
    ) -> None:
        def pay(transaction: Transaction) -> Append:
            transaction.execute("INSERT INTO paid VALUES (?)", ("1",))
            return addition("a", 1, lease=MINE)

        await tables.transact(pay)
        assert await self.paid(tables) == ["1"]
        assert (await row(store, "a")).seq == 2

    @pytest.mark.parametrize(
        ("expected", "lease", "error"),
        [(5, MINE, ConflictError), (1, THEIRS, ConflictError), (1, MINE, ZeroDivisionError)],
    )
    async def test_neither_is_kept_where_the_other_is_not(
        self,
        store: Store,
        tables: Transactional,
        expected: int,
        lease: Lease,
        error: type[Exception],
    ) -> None:
        def pay(transaction: Transaction) -> Append:
            transaction.execute("INSERT INTO paid VALUES ('1')")
            if error is ZeroDivisionError:
                raise error
            return addition("a", expected, lease=lease)

        with pytest.raises(error):
            await tables.transact(pay)
        assert await self.paid(tables) == []
        assert (await row(store, "a")).seq == 1

    async def test_a_neighbour_s_failure_in_the_same_transaction_harms_nobody(
        self, store: Store, tables: Transactional
    ) -> None:
        def pay(n: int) -> Append:
            if n % 3 == 0:
                raise ZeroDivisionError
            return addition(f"b{n}", 0)

        def paying(n: int) -> Callable[[Transaction], Append]:
            def both(transaction: Transaction) -> Append:
                transaction.execute("INSERT INTO paid VALUES (?)", (n,))
                return pay(n)

            return both

        outcomes = await asyncio.gather(
            *(tables.transact(paying(n)) for n in range(9)), return_exceptions=True
        )
        assert sum(isinstance(one, ZeroDivisionError) for one in outcomes) == 3
        kept = [n for n in range(9) if await store.head(f"b{n}")]
        assert await self.paid(tables) == kept == [1, 2, 4, 5, 7, 8]

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE runs SET seq = 9",
            "DELETE FROM events",
            "INSERT INTO runs SELECT * FROM runs",
            "DROP TABLE events",
            "ALTER TABLE runs ADD COLUMN x",
            "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM runs; END",
            "DELETE FROM memory_facts",
            "UPDATE memory_erasures SET by = 'nobody'",
            "INSERT INTO memory_words (memory_words) VALUES ('delete-all')",
            "DELETE FROM memory_words_data",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT x",
            "ATTACH ':memory:' AS x",
            "PRAGMA synchronous = off",
        ],
    )
    async def test_what_is_the_store_s_own_is_not_a_tool_s_to_touch(
        self, store: Store, tables: Transactional, sql: str
    ) -> None:
        before = await row(store, "a")

        def touch(transaction: Transaction) -> Append:
            transaction.execute(sql)
            return addition("a", 1, lease=MINE)

        with pytest.raises(Exception, match="(?i)not authorized|authoriz|prohibited"):
            await tables.transact(touch)
        assert await row(store, "a") == before
        await store.append(addition("a", 1, lease=MINE))

    async def test_a_transaction_that_is_over_can_do_nothing(self, tables: Transactional) -> None:
        kept: list[Transaction] = []

        def pay(transaction: Transaction) -> Append:
            kept.append(transaction)
            return addition("a", 1, lease=MINE)

        await tables.transact(pay)
        with pytest.raises(ValueError, match="over"):
            kept[0].execute("SELECT 1")
