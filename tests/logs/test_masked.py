"""A log that lacks secrets says so; what is rebuilt from it invents none."""

import json

import pytest
from pydantic import SecretStr

from engine import Engine, RefusedError, ScriptedModel, State, Tool, Workflow, tool
from engine.core.run import Run
from tests.logs.copies import LOG, lines_of, rebuilt
from tests.runtime.test_engine import calls

CODE = "open-sesame-91"


def vault(opened: list[str]) -> Workflow:
    @tool
    def unlock(box: str, code: SecretStr) -> str:
        """Unlock a box."""
        opened.append(code.get_secret_value())
        return f"{box} is open"

    @tool
    def knock(box: str) -> str:
        """Knock at a box."""
        return f"{box} says nothing"

    asked = calls(("unlock", {"box": "7", "code": CODE}), ("knock", {"box": "7"}))
    tools: list[Tool] = [unlock, knock]
    model = ScriptedModel([asked, {"content": "Done."}])
    return Workflow(name="vault", instructions="Help.", tools=tools, model=model)


async def lost() -> None:
    """A run that waits, in a store that is lost."""
    async with Engine(store="memory://", workflows=[vault([])], log=LOG) as engine:
        run = await engine.start("vault", "Open box 7", run_id="r1")
        assert [one.tool for one in run.approvals] == ["unlock", "knock"]
        assert run.approvals[0].arguments == {"box": "7", "code": CODE}


async def test_the_log_has_no_secret_and_says_in_which_lines_one_is_missing() -> None:
    await lost()
    lines = lines_of()
    assert CODE.encode() not in b"".join(lines)
    marked = [(line["trigger"], line["seq"]) for line in map(json.loads, lines) if "cover" in line]
    assert marked == [("tools_requested", 2), ("approval_requested", 3)]


async def test_only_the_call_that_lacks_a_secret_is_in_doubt_and_runs_with_what_is_given() -> None:
    await lost()
    runs, _, store = await rebuilt(LOG)
    assert (runs["r1"].masked, runs["r1"].lost, runs["r1"].fault) == (2, ("call_1_1",), None)
    opened: list[str] = []
    async with Engine(store=store, workflows=[vault(opened)]) as engine:
        run: Run = await engine.resume("r1")
        kinds = {one.tool: one.kind for one in run.approvals}
        assert kinds == {"unlock": "in_doubt", "knock": "tool_call"}
        with pytest.raises(RefusedError, match="give all of its arguments"):
            await engine.approve("r1", "call_1_1", by="ann", retry=True)
        half = {"box": "7", "code": "***"}
        with pytest.raises(RefusedError, match="give all of its arguments"):
            await engine.approve("r1", "call_1_1", by="ann", retry=True, arguments=half)
        await engine.approve("r1", "call_1_2", by="ann")
        anew = {"box": "7", "code": "another"}
        run = await engine.approve("r1", "call_1_1", by="ann", retry=True, arguments=anew)
    assert (run.state, opened) == (State.Done, ["another"])
