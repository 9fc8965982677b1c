"""Writes the golden journals under an audit key: `python -m tests.replay.write_keyed FOLDER`."""

import asyncio
import sys
from pathlib import Path

from engine import Engine
from engine.ports import Clock
from tests.replay.market import Market
from tests.replay.write_golden import PAY, Ticking
from tests.runtime.test_engine import calls

KEY = "golden:a secret that everybody knows"
RENEWED = f"silver:another one that everybody knows\n{KEY}"


async def write(folder: Path) -> None:
    """A run of before the key that was sealed, one under it, and one under two of them."""
    market, clock = Market(), Ticking()
    for run_id, key in (("sealed", None), ("keyed", KEY), ("renewed", KEY)):
        async with engine_of(folder, market, clock, key) as engine:
            await engine.start("market", "Pay", market.says(run_id, [calls(PAY)]))
    async with engine_of(folder, market, clock, KEY) as engine:
        await engine.seal("sealed", by="ann")
    async with engine_of(folder, market, clock, RENEWED) as engine:
        await engine.approve("renewed", by="ann")


def engine_of(folder: Path, market: Market, clock: Clock, key: str | None) -> Engine:
    return Engine(
        store=f"sqlite:///{folder}/runs.db",
        workflows=[market.workflow()],
        log=folder / "runs.jsonl",
        audit_key=key,
        clock=clock,
    )


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
