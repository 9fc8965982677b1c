"""The SQLite store keeps the contract, and its files are what they should be."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import apsw
import pytest
import pytest_asyncio

from engine.core.context import Transaction
from engine.errors import ConflictError, NotAStoreError, StoreError, StoreTooNewError
from engine.ports import Append, Store
from engine.remembering import Erasure, FactRow, MemoryChange
from engine.stores.database import APPLICATION_ID
from engine.stores.sqlite import _SQL, SqliteStore
from tests.stores.contract import addition
from tests.stores.leaving import LeavingContract, left
from tests.stores.remembering import RememberingContract
from tests.stores.transactional import TransactionalContract


class TestSqliteStore(TransactionalContract, RememberingContract, LeavingContract):
    @pytest_asyncio.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:  # type: ignore[override] # pytest closes it
        opened = SqliteStore(tmp_path / "runs.db")
        yield opened
        await opened.close()


async def make(path: Path) -> None:
    store = SqliteStore(path)
    await store.append(addition("a", 0))
    await store.close()


async def test_what_was_appended_outlives_the_store(tmp_path: Path) -> None:
    await make(tmp_path / "new" / "runs.db")
    again = SqliteStore(tmp_path / "new" / "runs.db")
    assert len(await again.entries("a")) == 1
    await again.close()


async def test_it_writes_ahead_and_syncs_every_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    await store.append(addition("a", 0))
    await store.mark_logged("a", 1)
    assert store._writer._connection.pragma("journal_mode") == "wal"  # noqa: SLF001 # nothing else shows it
    assert store._writer._connection.pragma("synchronous") == 2  # noqa: SLF001 # FULL
    await store.close()


async def test_what_is_queued_together_shares_a_transaction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    commits: list[int] = []

    def count() -> bool:
        commits.append(1)
        return False

    store._writer._connection.set_commit_hook(count)  # noqa: SLF001 # counted where it happens
    began, gate = Event(), Event()

    def work(_: object) -> bool:
        began.set()
        return gate.wait()

    busy = asyncio.create_task(store._writer.ask(work))  # noqa: SLF001 # the disk is at work
    await asyncio.to_thread(began.wait)
    appends = [asyncio.create_task(store.append(addition(f"r{n}", 0))) for n in range(100)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(busy, *appends)
    assert len(commits) == 1
    await store.close()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await make(path)
    newer = apsw.Connection(str(path))
    newer.pragma("user_version", 99)
    newer.close()
    before = digest(path)
    with pytest.raises(StoreTooNewError, match="version 99.*knows up to 5.*left untouched"):
        SqliteStore(path)
    assert digest(path) == before


async def test_another_program_s_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE t (x)")
    other.close()
    before = digest(path)
    with pytest.raises(NotAStoreError, match="another program's database"):
        SqliteStore(path)
    assert digest(path) == before


async def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 100)
    before = digest(path)
    with pytest.raises(NotAStoreError, match=r"notes\.txt is not a SQLite database"):
        SqliteStore(path)
    assert digest(path) == before


async def test_a_place_that_cannot_hold_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "runs.db"):
        with pytest.raises(StoreError, match=str(path)):
            SqliteStore(path)


async def test_a_full_disk_changes_nothing_and_passes(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    await store.append(addition("a", 0))
    pages = store._writer._connection.pragma("page_count")  # noqa: SLF001 # the disk is this large
    store._writer._connection.pragma("max_page_count", pages)  # noqa: SLF001
    big = addition("a", 1, 400)
    with pytest.raises(StoreError, match=r"db failed: .*full.*step was not taken; make room"):
        await store.append(big)
    assert len(await store.entries("a")) == 1
    store._writer._connection.pragma("max_page_count", 1_000_000)  # noqa: SLF001
    await store.append(big)
    assert len(await store.entries("a")) == 401
    await store.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("ready", "runs_ready"),
        ("leased", "runs_leased"),
        ("renew", "runs_leased"),
        ("owed", "runs_owed"),
        ("claim", "sqlite_autoindex_runs_1"),
        ("move_run", "sqlite_autoindex_runs_1"),
        ("heads_by_state", "runs_by_state"),
    ],
)
async def test_parked_runs_cost_a_worker_nothing(query: str, index: str, tmp_path: Path) -> None:
    anything = dict.fromkeys(re.findall(r":(\w+)", _SQL[query]), 1)
    store = SqliteStore(tmp_path / "runs.db")
    plan = await store._writer.ask(  # noqa: SLF001 # the plan is SQLite's own word on the cost
        lambda connection: list(connection.execute(f"EXPLAIN QUERY PLAN {_SQL[query]}", anything))
    )
    await store.close()
    steps = [row[3] for row in plan if "runs" in row[3]]
    assert steps
    assert all(index in step for step in steps), steps


async def test_a_store_of_years_stays_as_small_as_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    sizes = []
    for year in range(3):
        names = [f"r{year}_{n}" for n in range(30)]
        await asyncio.gather(*(store.append(addition(name, 0, 200)) for name in names))
        assert await store.tidy()
        sizes.append(path.stat().st_size)
        await asyncio.gather(*(store.archive(left(name, 200)) for name in names))
        assert await store.tidy()
        assert path.stat().st_size < sizes[0] / 4
    assert max(sizes) < sizes[0] * 1.1
    await store.close()


async def test_an_older_file_is_written_anew_once_and_gives_room_back_then(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    old = apsw.Connection(str(path))
    for number in (1, 2):
        old.execute(_SQL["schema" if number == 1 else f"schema_{number}"])
    old.pragma("application_id", APPLICATION_ID)
    old.pragma("user_version", 2)
    old.execute("CREATE TABLE said (what TEXT)")
    old.execute("INSERT INTO said VALUES (?)", ("a canary " * 1000,))
    old.execute("DROP TABLE said")
    old.close()
    assert b"a canary" in path.read_bytes()
    store = SqliteStore(path)
    await store.append(addition("a", 0, 2))
    assert await store.tidy()
    assert b"a canary" not in path.read_bytes()
    assert len(await store.entries("a")) == 2
    await store.close()


async def test_a_store_that_remembers_nothing_has_no_tables_for_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    forgotten = MemoryChange(forgotten=(("chloe", "1"),))
    await store.append(replace(addition("a", 0), memory=forgotten))
    assert list(await store.facts(limit=9)) == list(await store.facts(scope="chloe", limit=9)) == []
    assert list(await store.facts(customer="chloe", limit=9)) == []
    assert await store.fact("chloe", "1") is None
    assert list(await store.search("chloe", ["tea"], 9)) == []
    assert list(await store.vectors("chloe", "e", after="", limit=9)) == []
    assert await store.erase_facts("chloe", ["a"], Erasure(5, "boss", 0)) == 0
    assert list(await store.erasures()) == []
    tables = await store._writer.ask(  # noqa: SLF001 # nothing else shows it
        lambda connection: [*connection.execute("SELECT name FROM sqlite_schema")]
    )
    assert not [name for (name,) in tables if "memory" in str(name)]
    await store.close()
    assert path.stat().st_size < 80_000


async def test_the_first_note_and_its_tables_are_kept_together_or_not_at_all(
    tmp_path: Path,
) -> None:
    store, other = SqliteStore(tmp_path / "runs.db"), SqliteStore(tmp_path / "runs.db")
    change = MemoryChange((FactRow("chloe", "1", "fact", "She likes tea", "a", 1, 5),))
    with pytest.raises(ConflictError):
        await store.append(replace(addition("a", 5), memory=change))
    assert list(await other.facts(limit=9)) == []
    await other.append(replace(addition("a", 0), memory=change))
    assert tuple(await store.search("chloe", ["tea"], 9)) == change.facts
    await store.append(replace(addition("b", 0), memory=MemoryChange((), (("chloe", "1"),))))
    assert list(await other.facts(limit=9)) == []
    await asyncio.gather(store.close(), other.close())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE memory_facts (x)",
        "CREATE VIEW Memory_Erasures AS SELECT 1",
        "CREATE VIRTUAL TABLE memory_words USING fts5 (x)",
    ],
)
async def test_no_tool_takes_the_place_of_tables_that_are_not_there_yet(
    sql: str, tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "runs.db")

    def make(transaction: Transaction) -> Append:
        transaction.execute(sql)
        return addition("a", 0)

    with pytest.raises(StoreError, match="not authorized"):
        await store.transact(make)
    assert await store.head("a") is None
    await store.close()


async def test_the_words_of_other_customers_are_not_looked_through(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    facts = tuple(FactRow(f"c{n}", "1", "fact", "She likes tea", "a", 1, n) for n in range(50))
    await store.append(replace(addition("a", 0), memory=MemoryChange(facts)))
    words = await store._writer.ask(  # noqa: SLF001 # what is in the index under one word
        lambda connection: str(
            connection.execute("SELECT words FROM memory_facts WHERE scope = 'c7'").get
        )
    )
    alike = await store._writer.ask(  # noqa: SLF001 # as above
        lambda connection: (
            connection.execute(
                "SELECT count(*) FROM memory_words WHERE memory_words MATCH ?", (words.split()[0],)
            ).get
        )
    )
    assert (len(words.split()), alike) == (3, 1)
    assert tuple(await store.search("c7", ["tea"], 9)) == (facts[7],)
    await store.close()


async def test_a_file_of_before_there_were_facts_can_keep_them(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    old = apsw.Connection(str(path))
    for name in ("schema", "schema_2", "schema_3"):
        old.execute(_SQL[name])
    old.pragma("application_id", APPLICATION_ID)
    old.pragma("user_version", 3)
    old.close()
    store = SqliteStore(path)
    change = MemoryChange((FactRow("chloe", "1", "fact", "She likes tea", "a", 1, 5),))
    await store.append(replace(addition("a", 0), memory=change))
    assert tuple(await store.search("chloe", ["tea"], 9)) == change.facts
    assert await store.faults() == []
    await store.close()


async def test_who_reads_the_file_meanwhile_is_told_of_and_not_waited_for_long(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    store._writer._connection.set_busy_timeout(1)  # noqa: SLF001 # nobody waits here
    await store.append(addition("a", 0, 2))
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT * FROM runs").fetchall()
    await store.append(addition("a", 2, 2))
    assert not await store.tidy()
    reader.execute("COMMIT")
    assert await store.tidy()
    reader.close()
    await store.close()
