"""What waits for people, a page at a time."""

import asyncio
from pathlib import Path

import pytest

from engine import BadInputError
from tests.cli.desk import APPROVERS
from tests.cli.desk import waystation as command
from tests.runtime.test_engine import SQLITE, calls, engine

TWO = calls(("pay", {"order": "1"}), ("pay", {"order": "2"}))
RUNS = ("a", "b", "c")


@pytest.mark.parametrize("store", ["memory://", SQLITE])
async def test_pages_hold_whole_runs_and_go_on_after_the_last_one(store: str) -> None:
    async with engine(TWO, store=store) as waystation:
        for run_id in RUNS:
            await waystation.start("shop", "Hello", run_id)
        for reader in (waystation, waystation.masked):
            first = await reader.pending(limit=3)
            assert [one.run_id for one in first] == ["a", "a", "b", "b"]
            rest = await reader.pending(limit=3, after=first[-1].run_id)
            assert [one.run_id for one in rest] == ["c", "c"]
            assert await reader.pending(limit=3, after="c") == []
            assert first + rest == await reader.pending()
        assert len(await waystation.pending(tool="pay", limit=1)) == 2
        assert await waystation.pending(tool="look", limit=1) == []
        await waystation.abort("b", by="ann", reason="enough")
        after = await waystation.pending(after="b", limit=1)
        assert [one.run_id for one in after] == ["c", "c"], "its end moves no page"


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": -1}, {"after": "nobody"}])
async def test_a_page_that_is_none_is_refused(page: dict[str, int | str]) -> None:
    async with engine(TWO) as waystation:
        await waystation.start("shop", "Hello", "a")
        with pytest.raises(BadInputError):
            await waystation.pending(**page)  # type: ignore[arg-type] # fields by name


def test_a_person_pages_through_the_list() -> None:
    async def begin() -> None:
        async with engine(TWO) as waystation:
            for run_id in RUNS:
                await waystation.start("shop", "Hello", run_id)

    Path("approvers.toml").write_text(APPROVERS)
    asyncio.run(begin())
    first = command("approvals", "--limit", "1")
    assert "run b," not in first.output
    assert "more may wait; the same with --after a goes on" in first.stderr
    rest = command("approvals", "--after", "a", "--limit", "1").output
    assert ("run a," in rest, "run b," in rest, "run c," in rest) == (False, True, False)
    assert "more may wait" not in command("approvals").stderr
