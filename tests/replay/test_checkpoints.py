"""A checkpoint is written as pydantic writes it, after each event of every golden journal."""

import asyncio
from collections.abc import Iterator, Sequence

import orjson
import pytest

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.versions import CHECKPOINT_SCHEMA
from engine.core.run import Checkpoint, Run
from engine.journal.walk import walk
from engine.ports import Entry
from engine.stores.sqlite import SqliteStore
from tests.replay.test_golden import version

__all__ = ["version"]


async def journals() -> dict[str, Sequence[Entry]]:
    """The entries of every run of the store that lies where the test works."""
    store = SqliteStore("runs.db")
    heads = await store.heads(limit=1000)
    found = {head.run_id: await store.entries(head.run_id) for head in heads}
    await store.close()
    return found


def runs() -> Iterator[Run]:
    for run_id, entries in asyncio.run(journals()).items():
        for step in walk(entries, run_id):
            yield step.run


@pytest.mark.usefixtures("version")
def test_a_checkpoint_is_as_pydantic_writes_it_and_can_be_read() -> None:
    compared = 0
    for run in runs():
        written = encode_checkpoint(run)
        fields = Checkpoint.__pydantic_serializer__.to_python(run, mode="json")
        said = {**fields, "schema": CHECKPOINT_SCHEMA}
        assert written == orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        assert encode_checkpoint(decode_checkpoint(written)) == written
        compared += 1
    assert compared > 5
