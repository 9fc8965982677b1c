"""What any version wrote under an audit key loads with it for ever, goes on, and is rebuilt."""

import shutil
from pathlib import Path

import pytest

from engine import State
from engine.codec.chain import read_keys
from engine.stores.sqlite import SqliteStore
from tests.clock import Steered
from tests.logs.copies import rebuilt
from tests.rebuilding import compare
from tests.replay.market import Market
from tests.replay.write_keyed import KEY, RENEWED, engine_of

JOURNALS = Path(__file__).parent / "journals_keyed"


@pytest.fixture(params=sorted(one.name for one in JOURNALS.iterdir()), autouse=True)
def version(request: pytest.FixtureRequest) -> str:
    for file in (JOURNALS / str(request.param)).iterdir():
        shutil.copy(file, Path.cwd())
    return str(request.param)


async def test_all_of_it_is_under_its_keys_and_can_be_approved() -> None:
    clock = Steered()
    clock.jump(366 * 86_400)
    async with engine_of(Path.cwd(), Market(), clock, RENEWED) as engine:
        assert (await engine.examine()).keyed == {"golden": 2, "silver": 1}
        for run_id in ("sealed", "keyed"):
            assert (await engine.approve(run_id, by="ann")).state is State.Done
        assert (await engine.examine()).keyed == {"silver": 3}


async def test_with_one_key_fewer_what_is_under_it_is_refused() -> None:
    async with engine_of(Path.cwd(), Market(), Steered(), KEY) as engine:
        found = await engine.examine()
        assert found.keyed == {"golden": 2}
        assert found.unverified.keys() == {"renewed"}


async def test_the_store_is_made_again_from_the_log() -> None:
    runs, tally, copy = await rebuilt(Path("runs.jsonl"), keys=read_keys(RENEWED))
    assert {one.fault for one in runs.values()} == {None}
    assert (tally.damaged, len(runs)) == ([], 3)
    store = SqliteStore("runs.db")
    for run_id in runs:
        await compare(store, copy, run_id)
    await store.close()
