"""Somebody who can write the store, and knows the program, but has no audit key."""

from collections.abc import Callable
from contextlib import closing

import apsw
import orjson

from engine import Engine, ScriptedModel, Workflow
from engine.codec.chain import GENESIS, AuditKeys, Place, chain, cover
from engine.codec.checkpoints import encode_checkpoint
from engine.codec.events import decode_event, encode_event, from_ticks, ticks
from engine.core import events as ev
from engine.core.evolve import fold
from engine.core.ready import ready_at
from engine.errors import EngineError
from engine.stores.packing import unpack
from engine.stores.sqlite import SqliteStore
from tests.logs.copies import LOG
from tests.runtime.desk import Till, pays

Rows = list[tuple[int, str, bytes]]

KEY = "k1:a secret of some length"
OTHER = "k2:another secret of a length"
STORE = "sqlite:///runs.db"


def desk(till: Till, key: str | None = KEY) -> Engine:
    model = ScriptedModel([pays(5), {"content": "Paid."}])
    workflow = Workflow(name="shop", instructions="Help.", tools=[till.tool()], model=model)
    return Engine(store=STORE, workflows=[workflow], audit_key=key, log=LOG)


async def parked(key: str | None = KEY) -> None:
    async with desk(Till(), key) as engine:
        await engine.start("shop", "Pay", run_id="r1")


async def rewrite(change: Callable[[Rows], None], keys: AuditKeys) -> None:
    """Change the journal of r1; chain, checkpoint and row are made anew, under those keys."""
    with closing(apsw.Connection("runs.db")) as store:
        found = "SELECT at, kind, CAST(data AS BLOB) FROM events ORDER BY seq"
        rows: Rows = [(at, kind, unpack(data)) for at, kind, data in store.execute(found)]
        change(rows)
        store.execute("DELETE FROM events")
        digest = GENESIS
        for seq, (at, kind, data) in enumerate(rows, 1):
            digest = chain(digest, Place("r1", seq, at, kind), data, keys, keys.newest)
            store.execute(
                "INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?, NULL)",
                (seq, at, kind, data, digest, keys.newest or None),
            )
    await mend()


async def tamper(statement: str) -> None:
    """Change the rows of the journal, and make the run's own row one that fits."""
    with closing(apsw.Connection("runs.db")) as store:
        store.execute(statement)
        assert store.changes()
    await mend()


async def cover_up(upto: int, old: bytes, new: bytes) -> None:
    """Change what stands up to a seq under plain covers, behind which the digests stay."""
    store = SqliteStore("runs.db")
    entries = await store.entries("r1")
    await store.close()
    previous = GENESIS
    with closing(apsw.Connection("runs.db")) as database:
        for one in entries[:upto]:
            place, data = Place("r1", one.seq, one.at, one.kind), one.data.replace(old, new)
            covered = cover((previous, one.digest), place, data)
            change = "UPDATE events SET data = ?, cover = ?, key = NULL WHERE seq = ?"
            database.execute(change, (data, covered, one.seq))
            previous = one.digest
    await mend()


async def set_back(seq: int) -> None:
    """Make the run's own row that of an earlier seq, with all of the journal left in place."""
    await mend(seq)


async def mend(seq: int | None = None) -> None:
    store = SqliteStore("runs.db")
    entries = (await store.entries("r1"))[:seq]
    await store.close()
    try:
        run = fold(
            ev.Recorded(seq=seq, at=from_ticks(one.at), event=decode_event(one.kind, one.data))
            for seq, one in enumerate(entries, 1)
        )
    except EngineError:
        return  # no row fits such a journal
    assert run is not None
    due = ready_at(run)
    row = (str(run.state), run.seq, encode_checkpoint(run.checkpoint()), due and ticks(due))
    with closing(apsw.Connection("runs.db")) as database:
        database.execute("UPDATE runs SET state = ?, seq = ?, checkpoint = ?, ready_at = ?", row)


def forge_a_verdict(rows: Rows) -> None:
    asked = orjson.loads(rows[-1][2])
    grant = ev.ApprovalGranted(
        approval_id=asked["approval_id"], call_id=asked["call_id"], digest=asked["digest"], by="ann"
    )
    rows.append((rows[-1][0] + 1, "approval_granted", encode_event(grant)))
