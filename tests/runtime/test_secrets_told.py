"""Tokens, canaries and secrets of any letters are told to nobody; what was kept is told as ever."""

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import (
    CommandNotifier,
    Engine,
    LogNotifier,
    Notifier,
    ScriptedModel,
    State,
    Workflow,
    tool,
)
from engine.codec.chain import PLAIN
from engine.codec.events import decode_event
from engine.core.secrecy import Secrecy
from engine.journal.lines import Line, fields_of, read_line
from tests.replay.test_golden import JOURNALS, VERSIONS
from tests.runtime.desk import Keeping, desk, log_lines
from tests.runtime.gate import CANARY, ENTER, Gate, logged, stored
from tests.runtime.test_engine import OK, calls

SHAPES = {
    "key": "sk-proj-Abcdefgh0123456789",
    "header": "Authorization: Bearer mF_9.B5f-4.1JqM",
    "basic": f"Basic {base64.b64encode(b'ann:door-9').decode()}",
    "card": "4111 1111 1111 1111",
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_tokens_are_masked_in_whatever_anybody_writes(shape: str) -> None:
    token = SHAPES[shape]
    bare = token.rsplit(": ", maxsplit=1)[-1].removeprefix("Bearer ").removeprefix("Basic ")

    @tool
    def look(order: str) -> str:
        """Look."""
        raise PermissionError(f"{token} is refused for {order}")

    keeping = Keeping()
    say = {**calls(("look", {"order": token})), "content": f"Say {token}."}
    made = desk(say, {"content": token}, tools=[look], notifiers=[keeping])
    async with made as engine:
        await engine.start("shop", f"I am {token}", "r1")
        await engine.approve("r1", by="ann", note=token)
        run = await engine.send("r1", f"once more {token}")
    assert stored().count(bare) > 8
    assert run.state is State.Done
    assert bare not in logged() + "".join(keeping.told)


async def test_canaries_of_the_environment_and_of_headers_are_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOOR_TOKEN", CANARY)
    kept: list[dict[str, Any]] = []

    class Logger:
        def info(self, event: str, **fields: object) -> None:
            kept.append({"event": event, **fields})

    gate = Gate()
    notifiers: list[Notifier] = [LogNotifier(Logger()), CommandNotifier(["sh", "-c", "exit 3"])]
    async with desk(calls(ENTER), tools=[gate.tool()], notifiers=notifiers) as engine:
        await engine.start("shop", "Hello", "r1")
        await engine.approve("r1", by="ann")
    assert len(kept) == 1
    assert "kanarie" not in logged() + str(kept) + caplog.text
    assert any(one["trigger"] == "notification_failed" for one in log_lines())


@pytest.mark.parametrize("version", VERSIONS)
def test_kept_journals_are_told_as_ever(version: str) -> None:
    kept = (JOURNALS / version / "runs.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in kept]
    by_run: dict[str, list[dict[str, Any]]] = {}
    for line in sorted(told, key=lambda one: int(one["seq"])):
        if line["event"] == "transition":
            by_run.setdefault(line["run_id"], []).append(line)
    assert len(by_run) > 3
    for lines in by_run.values():
        assert [{**fields_of(one, PLAIN), "event": "transition"} for one in again(lines)] == lines


def again(lines: list[dict[str, Any]]) -> list[Line]:
    """What was told, as it would be told today."""
    secrecy, made = Secrecy(), list[Line]()
    for one in lines:
        line = read_line(orjson.dumps(one))
        event = decode_event(line.entry.kind, line.entry.data)
        secrecy = secrecy.after(event, line.entry.data)
        made.append(line._replace(secrecy=secrecy))
    return made


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=16).filter(
    lambda text: len(set(text)) > 5 and not text.isdigit() and text.strip() == text
)


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(WORDS, st.sampled_from(["argument", "result", "raised"]), st.booleans())
async def test_no_secret_appears_in_the_log_or_a_notice(
    secret: str, echoed: str, ascii_only: bool
) -> None:
    secret = f"Zq9{secret}"  # nothing of ours is called so
    gate, keeping = Gate(), Keeping()
    if echoed == "result":
        gate.result = json.dumps([{"a": f"- {secret} -"}], ensure_ascii=ascii_only)
    gate.error = f"bad word {secret!r}" if echoed == "raised" else None
    note = json.dumps({"word": secret}, ensure_ascii=ascii_only) if echoed == "argument" else ""
    asked = calls(("enter", {"word": secret, "note": note}))
    lines: list[dict[str, Any]] = []

    class Logger:
        def info(self, event: str, **fields: object) -> None:
            lines.append(json.loads(orjson.dumps({"event": event, **fields})))

    workflow = Workflow(
        name="shop",
        instructions="Help.",
        tools=[gate.tool()],
        notifiers=[keeping],
        model=ScriptedModel([asked, OK, {"content": f"ok {secret} ok"}]),
    )
    async with Engine(store="memory://", workflows=[workflow], log=Logger()) as engine:
        await engine.start("shop", "Hello", "r1")
        await engine.approve("r1", by="ann", note=f"({secret})")
        run = await engine.send("r1", f"{secret} again")
        kinds = [one.event.kind for one in await engine.journal("r1")]
    assert run.answer == f"ok {secret} ok"
    assert gate.given == [(secret, None)]
    assert [line["trigger"] for line in lines] == kinds
    for line in lines:
        assert "Zq9" not in json.dumps(line)
        decode_event(line["trigger"], orjson.dumps(line["data"]))
    assert len(keeping.told) == 1
    assert "Zq9" not in keeping.told[0]
