"""What a newer program wrote is refused by name, and not a byte of it is changed."""

from collections.abc import Awaitable, Callable

import apsw
import orjson
import pytest

from engine import Engine
from engine.codec.chain import GENESIS, Place, chain
from engine.codec.versions import CHECKPOINT_SCHEMA
from engine.errors import RunTooNewError
from engine.stores.packing import unpack
from engine.stores.sqlite import SqliteStore
from tests.replay.test_golden import golden_engine, store_bytes, version

__all__ = ["version"]  # a fixture


def rechain(run_id: str, change: Callable[[int, str, bytes], tuple[str, bytes]]) -> None:
    """Rewrite a run's journal as somebody would have who knows how."""
    database = apsw.Connection("runs.db")
    run = database.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).get
    found = "SELECT seq, at, kind, CAST(data AS BLOB) FROM events WHERE run = ? ORDER BY seq"
    digest = GENESIS
    for seq, at, kind, stored in list(database.execute(found, (run,))):
        new_kind, new_data = change(seq, kind, unpack(stored))
        digest = chain(digest, Place(run_id, seq, at, new_kind), new_data)
        database.execute(
            "UPDATE events SET kind = ?, data = ?, digest = ? WHERE run = ? AND seq = ?",
            (new_kind, new_data, digest, run, seq),
        )
    database.close()


def a_newer_event(run_id: str) -> None:
    def change(seq: int, kind: str, data: bytes) -> tuple[str, bytes]:
        return kind, orjson.dumps({**orjson.loads(data), "v": 99}) if seq == 2 else data

    rechain(run_id, change)


def an_unknown_event(run_id: str) -> None:
    rechain(run_id, lambda seq, kind, data: ("run_dreamt" if seq == 2 else kind, data))


def a_newer_checkpoint(run_id: str) -> None:
    database = apsw.Connection("runs.db")
    found = "SELECT checkpoint FROM runs WHERE run_id = ?"
    fields = orjson.loads(database.execute(found, (run_id,)).get)
    newer = orjson.dumps({**fields, "schema": CHECKPOINT_SCHEMA + 1, "mood": "good"})
    database.execute("UPDATE runs SET checkpoint = ? WHERE run_id = ?", (newer, run_id))
    database.close()


async def touched_by_name(waystation: Engine, run_id: str) -> None:
    for touch in (
        waystation.run(run_id),
        waystation.resume(run_id),
        waystation.journal(run_id),
        waystation.approve(run_id, by="ann"),
        waystation.deny(run_id, by="ann"),
        waystation.abort(run_id, by="ann"),
        waystation.accept_changes(run_id, by="ann"),
    ):
        with pytest.raises(RunTooNewError, match=f"run {run_id}.*newer Waystation"):
            await touch


async def seen_in_lists(waystation: Engine, run_id: str) -> None:
    assert {run.id for run in await waystation.runs()} >= {"in-flight"} - {run_id}
    assert "newer Waystation" in (await waystation.damaged())[run_id]
    await waystation.pending()


async def offered_to_a_worker(waystation: Engine, run_id: str) -> None:
    worker = waystation.worker()
    await worker.run(once=True)
    assert run_id in {head.run_id for head in await waystation._host.store.heads(limit=99)}  # noqa: SLF001 # it is still there


def row_of(run_id: str) -> list[object]:
    database = apsw.Connection("runs.db", flags=apsw.SQLITE_OPEN_READONLY)
    rows = list(database.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)))
    database.close()
    return list(rows[0])


@pytest.mark.parametrize("newer", [a_newer_event, an_unknown_event, a_newer_checkpoint])
@pytest.mark.parametrize("touch", [touched_by_name, seen_in_lists])
async def test_a_run_that_a_newer_program_wrote_is_refused_untouched(
    version: str,
    newer: Callable[[str], None],
    touch: Callable[[Engine, str], Awaitable[None]],
) -> None:
    await SqliteStore("runs.db").close()  # brought up to today
    newer("in-flight")
    before = store_bytes()
    async with golden_engine() as waystation:
        await touch(waystation, "in-flight")
    assert store_bytes() == before, version


@pytest.mark.parametrize("newer", [a_newer_event, an_unknown_event, a_newer_checkpoint])
async def test_a_worker_leaves_a_newer_program_s_run_to_newer_workers(
    version: str, newer: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    # Were its tries counted, a few old workers would set it aside for the new ones too.
    await SqliteStore("runs.db").close()
    newer("in-flight")
    database = apsw.Connection("runs.db")
    database.execute("UPDATE runs SET owner = '' WHERE run_id = 'in-flight'")
    database.close()
    before = row_of("in-flight")
    async with golden_engine() as waystation:
        await offered_to_a_worker(waystation, "in-flight")
    assert "newer Waystation" in caplog.text, version
    assert row_of("in-flight") == before
