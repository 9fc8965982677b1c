"""What an attacker or an accident tried once; each stays mended."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, SecretStr

from engine import (
    BadInputError,
    Engine,
    Limits,
    Message,
    ModelReply,
    ModelRequest,
    ScriptedModel,
    State,
    Tool,
    Workflow,
    events,
    tool,
)
from engine.errors import DefinitionError, UnknownWorkflowError
from engine.runtime.logfile import LogFile
from engine.stores.sqlite import SqliteStore
from tests.clock import Jumping
from tests.runtime.test_engine import OK, SQLITE, calls, engine
from tests.stores.contract import addition

OBJECT: dict[str, Any] = {"type": "object"}


async def test_arguments_that_read_differently_the_second_time_never_reach_a_person() -> None:
    @tool
    def double(x: Annotated[int, AfterValidator(lambda v: v * 2)]) -> str:
        """Double."""
        raise AssertionError(x)

    @tool
    def hide(word: Annotated[SecretStr, AfterValidator(_longer)]) -> str:
        """Hide."""
        raise AssertionError(word)

    asked = calls(("double", {"x": 10}), ("hide", {"word": "s"}))
    async with engine(asked, OK, tools=(double, hide)) as waystation:
        run = await waystation.start("shop", "Hello")
    assert run.state is State.Done
    for message in run.messages[3:5]:
        assert "do not stay the same" in (message.content or "")


def _longer(secret: SecretStr) -> SecretStr:
    return SecretStr(f"{secret.get_secret_value()}!")


@pytest.mark.parametrize("after", ["gone", "changed"])
async def test_a_lost_result_is_in_doubt_whatever_today_s_code_makes_of_the_call(
    after: str,
) -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.Event().wait()

    before = Tool(name="t", description="", parameters=OBJECT, function=hang, approval="never")
    changed = Tool(
        name="t", description="", parameters={**OBJECT, "required": ["z"]}, function=hang
    )
    async with engine(calls(("t", {})), OK, tools=(before,)) as first:
        task = asyncio.create_task(first.start("shop", "Hello", run_id="r1"))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    tools = () if after == "gone" else (changed,)
    async with engine(calls(("t", {})), OK, tools=tools) as second:
        run = await second.resume("r1")
    assert [approval.kind for approval in run.approvals] == ["in_doubt"]


class Model:
    """Something that is no JSON."""


@pytest.mark.parametrize("value", [2**70, Model(), {b"\xff": 1}, b"x", Path])
async def test_a_tool_that_ran_is_never_told_to_have_failed(value: object) -> None:
    odd = Tool(
        name="odd", description="", parameters=OBJECT, function=lambda: value, read_only=True
    )
    async with engine(calls(("odd", {})), OK, tools=(odd,)) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        journal = await waystation.journal("r1")
    assert isinstance(journal[3].event, events.ToolReturned)
    assert run.state is State.Done


@pytest.mark.parametrize("levels", [65, 198, 900, 5000])
async def test_deep_arguments_are_refused_and_the_store_stays_readable(levels: int) -> None:
    @tool
    def act(x: dict[str, Any]) -> str:
        """Act."""
        raise AssertionError(x)

    free = Tool(name="free", description="", parameters=OBJECT, function=print)
    text = '{"x":' * levels + "{}" + "}" * levels
    asked = calls(("act", {}), ("free", {}))
    for call in asked["tool_calls"]:
        call["function"]["arguments"] = text
    async with engine(asked, OK, tools=(act, free)) as waystation:
        run = await waystation.start("shop", "Hello")
        assert await waystation.pending() == []
    assert run.state is State.Done
    assert all("nested too deeply" in (m.content or "") for m in run.messages[3:5])


@pytest.mark.parametrize("levels", [249, 250, 251, 252, 253])
async def test_a_reply_that_can_be_kept_can_be_told(levels: int, tmp_path: Path) -> None:
    extra: Any = "x"
    for _ in range(levels):
        extra = [extra]
    workflow = Workflow(name="shop", instructions="Help.", limits=Limits(max_attempts=1))
    model, log = ScriptedModel([{**OK, "extra": extra}]), tmp_path / "runs.jsonl"
    made = Engine(store=SQLITE, workflows=[workflow], model=model, log=log)
    async with made as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
    assert log.read_bytes().count(b"\n") == run.seq
    assert run.state is (State.Done if levels < 251 else State.Aborted)


async def test_a_cancelled_question_leaves_the_store_answering(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    for _ in range(50):
        asking = [asyncio.create_task(store.head("a")) for _ in range(3)]
        await asyncio.sleep(0)
        asking[1].cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await asyncio.wait_for(store.append(addition("a", 0)), 30)
    await store.close()


async def test_a_verdict_that_could_not_be_driven_on_is_not_taken() -> None:
    asked = calls(("pay", {"order": "1"}))
    async with engine(asked, OK) as first:
        parked = await first.start("shop", "Hello", run_id="r1")
    workflow = first._workflows["shop"]  # noqa: SLF001 # the same, without a model
    async with Engine(store=SQLITE, workflows=[workflow]) as second:
        with pytest.raises(DefinitionError, match="no model"):
            await second.approve("r1", by="ann")
        assert (await second.run("r1")).seq == parked.seq
        assert (await second.abort("r1", by="ann")).state is State.Aborted


async def test_a_line_cut_short_is_mended_on_a_new_line() -> None:
    path = Path("log.jsonl")
    path.write_bytes(b'{"whole": 1}\n{"torn": ')  # noqa: ASYNC240 # nothing else runs
    async with engine(OK, log=path) as waystation:
        await waystation.start("shop", "Hello")
    lines = path.read_bytes().splitlines()  # noqa: ASYNC240 # nothing else runs
    assert lines[1] == b'{"torn": '
    assert [json.loads(line)["seq"] for line in lines[2:]] == [1, 2]


def test_a_full_disk_under_the_log_is_an_error_that_it_outlives() -> None:
    full = LogFile(Path("/dev/full"))
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            full.write(b"line\n")
    full.close()


async def test_a_log_on_a_full_disk_stops_no_run(caplog: pytest.LogCaptureFixture) -> None:
    async with engine(OK, log="/dev/full") as waystation:
        run = await waystation.start("shop", "Hello")
    assert run.state is State.Done
    assert len(caplog.records) == 1
    assert "its lines are owed" in caplog.text


async def test_the_log_is_never_the_store() -> None:
    with pytest.raises(BadInputError, match="is the store itself"):
        async with engine(log="./runs.db"):
            pass


async def test_what_makes_no_sense_leaves_no_files() -> None:
    async with engine(OK, store="sqlite:///never/x.db", log="never/x.jsonl") as waystation:
        with pytest.raises(UnknownWorkflowError):
            await waystation.start("shap", "Hello")
        with pytest.raises(BadInputError):
            await waystation.start("shop", "")
    assert not Path("never").exists()  # noqa: ASYNC240 # nothing else runs


class Replies:
    """A model client that gives whatever it was given, and counts."""

    def __init__(self, *replies: ModelReply | Exception) -> None:
        self.replies, self.asked = list(replies), 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.asked += 1
        await asyncio.sleep(0)
        assert request.messages
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


def says(role: str, **extra: Any) -> ModelReply:
    return ModelReply(Message.model_validate({"role": role, "content": "Hi", **extra}))


@pytest.mark.parametrize(
    "reply",
    [
        says("system"),
        says("user"),
        says("assistant", extra=2**70),
        says("assistant", extra={"deep": 2**65}),
        ModelReply(Message(role="assistant", content="Hi"), model=5),  # type: ignore[arg-type] # wrong on purpose
    ],
)
async def test_a_reply_that_cannot_be_kept_is_a_failed_try(reply: ModelReply) -> None:
    model, workflow = Replies(reply, says("assistant")), Workflow(name="w", instructions="")
    clock = Jumping()
    async with Engine(
        store="memory://", workflows=[workflow], model=model, clock=clock
    ) as waystation:
        run = await waystation.start("w", "Hello")
        kinds = [one.event.kind for one in await waystation.journal(run.id)]
    assert kinds == ["run_started", "model_failed", "model_answered"]


async def test_many_that_resume_at_once_ask_the_model_once() -> None:
    model, workflow = (
        Replies(RuntimeError("no net"), says("assistant")),
        Workflow(name="w", instructions=""),
    )
    async with Engine(store="memory://", workflows=[workflow], model=model) as waystation:
        with pytest.raises(Exception, match="the model client failed: RuntimeError: no net"):
            await waystation.start("w", "Hello", run_id="r1")
        runs = await asyncio.gather(*(waystation.resume("r1") for _ in range(5)))
    assert {run.answer for run in runs} == {"Hi"}
    assert model.asked == 2


@pytest.mark.parametrize(
    "schema",
    [
        {**OBJECT, "maximum": 2**63},
        {**OBJECT, "title": "\ud800"},
        {"$ref": "#/$defs/none", **OBJECT},
        {"$ref": "#", **OBJECT},
        {"$ref": "http://127.0.0.1:1/schema.json", **OBJECT},
    ],
)
def test_a_schema_that_can_never_serve_is_refused_where_it_is_declared(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(DefinitionError, match="tool t: parameters"):
        Tool(name="t", description="", parameters=schema, function=print)
