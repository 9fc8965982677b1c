"""Fixtures for all tests."""

import asyncio
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from engine import Engine
from engine.stores.memory import MemoryStore
from tests.rebuilding import MOST, rebuild_and_compare, rebuild_file

settings.register_profile("steady", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in a folder of its own, and knows nothing of the caller's environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("WAYSTATION_", "OPENAI_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _every_run_is_rebuilt_from_its_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _own_folder: None,
) -> Iterator[None]:
    """Whatever runs a test makes, in memory or in a file, are whole in their log, too."""
    logs = tmp_path / ".rebuilt"
    leave, looked_at, numbers = Engine.__aexit__, 0, count(1000)

    async def look_and_leave(engine: Engine, *error: Any) -> None:
        nonlocal looked_at
        store = engine._opened and engine._opened[0]  # noqa: SLF001 # watched, not used
        keys = engine._keys  # noqa: SLF001 # as above
        ours = isinstance(store, MemoryStore) or keys.newest
        if store is not None and ours and error[0] is None and looked_at < MOST:
            log = logs / f"{next(numbers)}.jsonl"
            looked_at += await rebuild_and_compare(store, log, keys)
        await leave(engine, *error)

    monkeypatch.setattr(Engine, "__aexit__", look_and_leave)
    yield
    for place, file in enumerate(sorted(tmp_path.glob("*.db"))):
        asyncio.run(rebuild_file(file, logs / f"{place}.jsonl"))
