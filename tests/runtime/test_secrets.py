"""Secrets reach the tool and the store, and nothing that leaves."""

import json
import logging
from typing import Any

import orjson
import pytest
from pydantic import SecretBytes, SecretStr

from engine import (
    ApprovalPolicy,
    BadInputError,
    Engine,
    Message,
    ModelReply,
    ModelRequest,
    RefusedError,
    State,
    Tool,
    Workflow,
    ask_person,
    tool,
)
from engine.codec.chain import GENESIS, PLAIN, Place, cover
from engine.codec.events import decode_event, ticks
from engine.core.messages import ToolCall
from engine.errors import ModelError
from engine.stores.sqlite import SqliteStore
from tests.runtime.desk import BOSSES, LOG, Keeping, desk, log_lines, refusals
from tests.runtime.gate import CANARY, ENTER, OTHER, Account, Gate, logged, stored
from tests.runtime.test_engine import SQLITE, calls


async def test_a_secret_reaches_the_tool_through_the_store_and_another_engine() -> None:
    gate, keeping = Gate(), Keeping()
    async with desk(calls(ENTER), tools=[gate.tool()], notifiers=[keeping]) as first:
        run = await first.start("shop", "Hello", "r1")
        (asked,) = run.approvals
        assert asked.arguments["word"] == CANARY
        assert (await first.pending())[0].arguments == asked.arguments
    assert CANARY in stored()
    assert OTHER in stored()
    async with desk(calls(ENTER), tools=[gate.tool()], notifiers=[keeping]) as second:
        run = await second.approve("r1", by="ann", digest=asked.digest)
        assert run.state is State.Done
        assert CANARY in str(await second.journal("r1"))
        assert await second.damaged() == {}
    account = Account(user="ann", pin=SecretStr(OTHER), old=[SecretBytes(OTHER.encode())])
    assert gate.given == [(CANARY, account)]
    told = logged() + "".join(keeping.told)
    assert "kanarie" not in told
    assert len(keeping.told) == 1
    assert json.loads(keeping.told[0])["approval"]["arguments"] == {
        "word": "***",
        "account": {"user": "ann", "pin": "***", "old": ["***"]},
        "note": "",
    }
    assert json.loads(keeping.told[0])["approval"]["digest"] == asked.digest


async def test_a_masked_line_is_bound_to_the_event_as_it_was() -> None:
    async with desk(calls(ENTER), tools=[Gate().tool(approval="never")]) as engine:
        await engine.start("shop", "Hello", "r1")
        recorded = await engine.journal("r1")
    store = SqliteStore("runs.db")
    entries = await store.entries("r1")
    await store.close()
    masked, previous = 0, GENESIS
    for line, entry, one in zip(log_lines(), entries, recorded, strict=True):
        assert (line["seq"], line["digest"]) == (entry.seq, entry.digest.hex())
        data = orjson.dumps(line["data"], option=orjson.OPT_SORT_KEYS)
        link, previous = (previous, entry.digest), entry.digest
        assert decode_event(entry.kind, data).kind == entry.kind
        if data == entry.data:
            assert (line["schema"], "cover" in line) == (1, False)
            continue
        masked += 1
        place = Place("r1", entry.seq, ticks(one.at), entry.kind)
        assert line["cover"] == cover(link, place, data, PLAIN).hex()
        assert line["schema"] == 2
    assert masked == 2  # what the model asked for, and the start


async def test_secrets_that_are_known_are_masked_in_all_that_is_said_later() -> None:
    gate = Gate(result=json.dumps({"echo": f"<{CANARY}>", "password": "open-sesame"}))
    say = {**calls(ENTER), "content": f"I used {CANARY}; and open-sesame."}
    last = {"content": f"You are {OTHER}, open-sesame."}
    async with desk(say, last, tools=[gate.tool()]) as engine:
        await engine.start("shop", "Hello", "r1")
        run = await engine.approve("r1", by="ann", note=f"fine with {OTHER}")
        assert run.answer == f"You are {OTHER}, open-sesame."
        assert (await engine.masked.run("r1")).answer == "You are ***, ***."
        assert "kanarie" not in "".join(map(str, await engine.masked.journal("r1")))
        assert [str(one) for one in await engine.masked.runs()] == [
            str((await engine.masked.run("r1")).checkpoint())
        ]
        records = [one async for one in engine.masked.audit()]
        truth = [one async for one in engine.audit()]
    assert "kanarie" not in str(records)
    assert CANARY in str(truth)
    assert "kanarie" not in logged()
    # Only what was said before the tool told it: a log line is not written again.
    assert logged().count("open-sesame") == 1


@pytest.mark.parametrize("hints", [{}, {"read_only": True}, {"transactional": False}])
async def test_an_exception_that_tells_a_secret_is_masked_in_the_log(hints: dict[str, Any]) -> None:
    gate = Gate(error=f"no door for {CANARY!r} at https://ann:{OTHER}-x@door.example")
    async with desk(calls(ENTER), tools=[gate.tool(approval="never", **hints)]) as engine:
        run = await engine.start("shop", "Hello", "r1")
    assert CANARY in stored()
    assert run.state is State.Done
    assert "kanarie" not in logged()
    assert "no door for" in logged()


async def test_arguments_that_do_not_fit_are_told_without_the_secret() -> None:
    plain = Tool(
        name="enter",
        description="Enter.",
        parameters={
            "type": "object",
            "properties": {"word": {"type": "integer", "writeOnly": True}},
        },
        function=print,
    )
    async with desk(calls(("enter", {"word": CANARY})), tools=[plain]) as engine:
        run = await engine.start("shop", "Hello", "r1")
        assert CANARY in str(run.messages[3].content)  # the model reads what it had written
    assert "kanarie" not in logged()
    assert "is not of type 'integer'" in logged()


async def test_a_refusal_and_its_error_are_told_without_the_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    gate = Gate()
    policy = ApprovalPolicy(roles=["manager"])
    made = desk(calls(ENTER), tools=[gate.tool(approval=policy)], approvers=BOSSES)
    async with made as engine:
        await engine.start("shop", "Hello", "r1")
        words = {"word": OTHER, "note": f"{CANARY} and {OTHER}"}
        with pytest.raises(Exception, match="may not approve"):
            await engine.approve("r1", by="carl", arguments=words, note=CANARY)
        with pytest.raises(BadInputError) as caught:
            await engine.approve("r1", by="ann", arguments={**words, CANARY: 1})
        assert "kanarie" not in str(caught.value)
        with pytest.raises(BadInputError) as other:
            await engine.approve("r1", by="ann", arguments=words, remember={"note": {"le": CANARY}})
        assert "kanarie" not in str(other.value)
    (refused,) = refusals()
    assert refused["data"]["arguments"] == {"word": "***", "note": "*** and ***"}
    assert refused["data"]["note"] == "***"
    assert "kanarie" not in logged() + caplog.text


async def test_an_error_that_breaks_a_run_off_is_told_without_the_secret() -> None:
    class Broken:
        async def complete(self, request: ModelRequest) -> ModelReply:
            if len(request.messages) > 2:
                raise RuntimeError(f"{request.messages[-1].content} and {OTHER}")
            call = ToolCall.model_validate(calls(ENTER)["tool_calls"][0])
            return ModelReply(Message(role="assistant", tool_calls=(call,)), "tool_calls")

    gate = Gate(result=f"let in {CANARY}")
    workflow = Workflow(
        name="shop", instructions="Help.", tools=[gate.tool(approval="never")], model=Broken()
    )
    async with Engine(store=SQLITE, workflows=[workflow], log=LOG) as engine:
        with pytest.raises(ModelError, match=r"RuntimeError: let in \*\*\* and \*\*\*$"):
            await engine.start("shop", "Hello", "r1")


async def test_a_sticky_rule_about_a_secret_holds_and_is_told_without_it() -> None:
    gate = Gate()
    async with desk(calls(ENTER), calls(ENTER), tools=[gate.tool()]) as engine:
        await engine.start("shop", "Hello", "r1")
        run = await engine.approve("r1", by="ann", remember={"word": {"eq": CANARY}})
        assert (run.state, len(gate.given)) == (State.Done, 2)
        assert (await engine.masked.run("r1")).rules[0].when == {"word": {"eq": "***"}}
    assert "kanarie" not in logged()


async def test_changed_arguments_are_told_without_the_secret_in_them() -> None:
    gate = Gate()
    async with desk(calls(("enter", {"word": CANARY})), tools=[gate.tool()]) as engine:
        await engine.start("shop", "Hello", "r1")
        await engine.approve("r1", by="ann", arguments={"word": OTHER})
    assert gate.given == [(OTHER, None)]
    assert "kanarie" not in logged()
    (granted,) = [one for one in log_lines() if one["trigger"] == "approval_granted"]
    assert granted["data"]["arguments"]["word"] == "***"


async def test_a_fork_keeps_the_secrets_that_it_has_copied() -> None:
    gate = Gate()
    say = {**calls(ENTER), "content": f"I use {CANARY}."}
    async with desk(say, tools=[gate.tool()]) as engine:
        await engine.start("shop", "Hello", "r1")
        with pytest.raises(RefusedError, match="word of enter .* is secret, and stays as it is"):
            await engine.fork("r1", at=3, arguments={"call_1_1": {"word": OTHER}}, new_id="r2")
        kept: dict[str, Any] = {**ENTER[1], "note": "quick"}
        await engine.fork("r1", at=3, arguments={"call_1_1": kept}, new_id="r2")
        await engine.approve("r2", by="ann")
    assert (gate.notes, gate.given[0][0]) == (["quick"], CANARY)
    assert "kanarie" not in logged()


async def test_a_form_s_secret_reaches_the_model_and_not_the_log() -> None:
    question = ask_person(name="ask_account", form=Account)
    asked = calls(("ask_account", {"question": "Who?"}))
    last = {"content": f"Thank you for {CANARY}."}
    async with desk(asked, last, tools=[question]) as engine:
        await engine.start("shop", "Hello", "r1")
        answer = json.dumps({"user": "ann", "pin": CANARY})
        run = await engine.answer("r1", by="ann", result=answer)
    assert json.loads(str(run.messages[3].content)) == {"user": "ann", "pin": CANARY, "old": []}
    assert "kanarie" not in logged()


async def test_keys_of_the_redaction_list_are_masked_whatever_tool_they_belong_to() -> None:
    got: list[Any] = []

    @tool(approval="never")
    def post(body: dict[str, Any]) -> dict[str, Any]:
        """Post."""
        got.append(body)
        return {"Api-Key": OTHER, "deep": [{"X-Kennung": OTHER}], "id": "o-1"}

    body = {"x_kennung": CANARY, "Authorization": CANARY, "user": "ann"}
    made = desk(calls(("post", {"body": body})), tools=[post], redact=["X-Kennung"])
    async with made as engine:
        await engine.start("shop", "Hello", "r1")
    assert got == [body]
    assert "kanarie" not in logged()
    (back,) = [one["data"]["content"] for one in log_lines() if one["trigger"] == "tool_returned"]
    assert json.loads(back) == {"Api-Key": "***", "deep": [{"X-Kennung": "***"}], "id": "o-1"}
