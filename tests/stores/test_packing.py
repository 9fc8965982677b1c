"""Long data stands on disk in fewer bytes, and is read again as it was."""

import asyncio
import json
import random
import zlib
from dataclasses import replace
from pathlib import Path

import apsw
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import CorruptRunError, Engine, Message, ModelReply, ModelRequest, Workflow
from engine.stores.packing import pack, unpack
from engine.stores.sqlite import SqliteStore
from tests.stores.contract import addition
from tests.unpacked import bytes_in

SHORT = 256  # bytes
WORDS = orjson.dumps({"content": "The parcel is at the depot, and comes on Monday. " * 12})


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()), max_size=40))
def test_what_was_packed_is_as_it_was(fields: dict[str, object]) -> None:
    data = json.dumps(fields).encode()
    assert unpack(pack(data)) == data
    assert len(pack(data)) <= len(data)


def test_what_is_short_stays_readable() -> None:
    assert pack(WORDS[: SHORT - 1]) == WORDS[: SHORT - 1]
    assert len(pack(WORDS)) < len(WORDS) / 2


@pytest.mark.parametrize("times", [1, 10, 100, 1000])
def test_what_unpacks_to_a_hundred_times_as_much_is_not_packed(times: int) -> None:
    data = b"{" * SHORT * times
    assert unpack(pack(data)) == data
    assert len(data) <= len(pack(data)) * 100
    assert (pack(data) == data) == (times > 10)  # else it is short enough


def test_what_packing_makes_no_shorter_stays_as_it_is() -> None:
    noise = b"{" + random.Random(1).randbytes(1000)  # noqa: S311 # chance is enough
    assert pack(noise) == unpack(pack(noise)) == noise


def test_what_is_damaged_on_disk_is_never_taken_for_what_it_was() -> None:
    packed = pack(WORDS)
    for place in range(len(packed)):
        hurt = bytearray(packed)
        hurt[place] ^= 1
        assert unpack(bytes(hurt)) != WORDS
    assert [unpack(packed[:-1]), unpack(packed + b"x")] == [packed[:-1], packed + b"x"]


def test_what_nobody_has_packed_is_not_blown_up() -> None:
    packer = zlib.compressobj(wbits=14)
    bomb = packer.compress(bytes(1 << 24)) + packer.flush()
    assert bomb.startswith(pack(WORDS)[:1])
    assert unpack(bomb) == bomb


async def test_a_store_is_read_as_it_was_written_and_as_it_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    first = addition("a", 0)
    long = replace(first, entries=(first.entries[0]._replace(data=WORDS),))
    await store.append(long)
    assert tuple(await store.entries("a")) == long.entries
    assert await store.tidy()
    assert (b"depot" in path.read_bytes(), b"depot" in bytes_in(path)) == (False, True)
    erased = long.entries[0]._replace(data=WORDS.replace(b"depot", b"*****"), cover=bytes(32))
    await store.append(replace(addition("a", 1), replaced=(erased,)))
    assert (await store.entries("a"))[0] == erased
    assert await store.tidy()
    assert b"depot" not in bytes_in(path)
    await store.close()
    database = apsw.Connection(str(path))
    assert database.execute("SELECT length(data) FROM events WHERE seq = 1").get < len(WORDS) / 2
    database.close()


class Wordy:
    async def complete(self, request: ModelRequest) -> ModelReply:
        assert request.messages
        return ModelReply(Message(role="assistant", content=WORDS.decode()))


def look(path: Path) -> None:
    """Start the run, or load the one there is."""
    flow = Workflow(name="shop", instructions="Help.", tools=[], model=Wordy())

    async def looking() -> None:
        async with Engine(store=f"sqlite:///{path}", workflows=[flow]) as engine:
            if not await engine.runs(limit=1):
                await engine.start("shop", "Hello", "r")
            await engine.run("r")

    asyncio.run(looking())


@pytest.mark.parametrize("column", ["data", "kind"])
def test_nothing_in_the_place_of_what_was_packed_names_the_event(
    column: str, tmp_path: Path
) -> None:
    look(tmp_path / "runs.db")
    database = apsw.Connection(str(tmp_path / "runs.db"))
    database.execute("CREATE TABLE loose AS SELECT * FROM events; DROP TABLE events")
    database.execute("ALTER TABLE loose RENAME TO events")
    database.execute(f"UPDATE events SET {column} = NULL WHERE seq = 2")  # noqa: S608 # ours
    database.close()
    with pytest.raises(CorruptRunError, match="damaged at seq 2"):
        look(tmp_path / "runs.db")


@pytest.mark.parametrize("place", [1, 2, 40, 90])
def test_one_bit_of_what_is_packed_names_the_event(place: int, tmp_path: Path) -> None:
    look(tmp_path / "runs.db")
    database = apsw.Connection(str(tmp_path / "runs.db"))
    stored = bytearray(database.execute("SELECT data FROM events WHERE seq = 2").get)
    assert len(stored) < len(WORDS)
    stored[place] ^= 1
    database.execute("UPDATE events SET data = ? WHERE seq = 2", (bytes(stored),))
    database.close()
    with pytest.raises(CorruptRunError, match="damaged at seq 2"):
        look(tmp_path / "runs.db")
