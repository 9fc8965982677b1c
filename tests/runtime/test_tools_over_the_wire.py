"""Tools as a model sees them: the real SDK over a real socket, with a kill in the middle."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from engine import (
    Engine,
    Limits,
    OpenAIModel,
    State,
    Tool,
    Workflow,
    events,
    read_result,
    rerun,
    tool,
)
from tests.clock import Jumping
from tests.models.server import ProtocolServer, Reply, completion, serving
from tests.races.processes import Children, Wire, put_away_later
from tests.runtime.kennel import KENNEL
from tests.runtime.test_isolation import is_alive, until_dead, until_written

ANSWER = completion({"content": "All done."})


def asking(*asked: tuple[str, Any]) -> Reply:
    """A completion that asks for these calls; arguments that are text go as they are."""
    wishes = [
        {
            "id": "x",
            "type": "function",
            "function": {
                "name": name,
                "arguments": args if isinstance(args, str) else dumped(args),
            },
        }
        for name, args in asked
    ]
    return completion({"content": None, "tool_calls": wishes}, "tool_calls")


def dumped(args: object) -> str:
    return json.dumps(args)


def opened(url: str, workflow: Workflow) -> Engine:
    model = OpenAIModel("test-model", api_key="sk-test", base_url=url, timeout=5)
    return Engine(store="sqlite:///runs.db", workflows=[workflow], model=model, clock=Jumping())


def read_by_model(server: ProtocolServer) -> list[str]:
    """The results in the newest request."""
    return [one["content"] for one in server.requests[-1]["messages"] if one["role"] == "tool"]


async def drive_kennel(wire: Wire, url: str) -> None:
    """A driver that is to be killed."""
    wire.say("driving")
    async with opened(url, KENNEL) as engine:
        await engine.start("kennel", "Hello", run_id="r1")


async def test_kill_9_of_the_driver_leaves_nothing_of_its_call_alive_and_the_call_in_doubt(
    tmp_path: Path,
) -> None:
    forever = asking(("unsure", {"seconds": 600}))
    with serving(forever, ANSWER) as server:
        with put_away_later() as children:
            pids = _killed(children, server.url, tmp_path)
        async with opened(server.url, KENNEL) as engine:
            run = await engine.resume("r1")
            assert [approval.kind for approval in run.approvals] == ["in_doubt"]
            assert "its driver stopped while it ran" in (run.approvals[0].reason or "")
            run = await engine.answer("r1", by="ann", result="it was done")
        assert (run.state, read_by_model(server)) == (State.Done, ["it was done"])
    assert len(pids) == 4


def _killed(children: Children, url: str, folder: Path) -> list[int]:
    child = children.start(drive_kennel, url)
    child.wait_for("driving")
    pids = until_written(str(folder / "family.txt"))
    assert all(map(is_alive, pids))
    child.signal(signal.SIGKILL)
    assert child.exit_code() == -signal.SIGKILL
    until_dead(pids)
    return pids


@tool(read_only=True)
def look(order: str, kind: str = "any") -> str:
    """Look an order up."""
    return f"{order} {kind} " + "word " * 10_000


TYPED: Tool = Tool(
    name="refund_order",
    description="",
    parameters={
        "type": "object",
        "properties": {"order": {"type": "string"}, "cents": {"type": "integer"}},
        "required": ["order"],
        "additionalProperties": False,
    },
    function=lambda **given: given,
    approval="never",
)
SHOP = Workflow(
    name="shop",
    instructions="Help.",
    tools=(look, TYPED, read_result()),
    limits=Limits(max_result_chars=1000, max_repeats=50),
)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "lookup",
            {},
            "There is no tool 'lookup'. Did you mean look? The tools are: look, refund_order,",
        ),
        (
            "look",
            {"ordr": "1"},
            "order: Field required; ordr: Extra inputs are not permitted. Did you mean order?",
        ),
        (
            "refund_order",
            {"order": "1", "cnts": 5},
            "properties are not allowed ('cnts' was unexpected). Did you mean cents?",
        ),
        ("refund_order", {"order": "1", "cents": "x" * 100_000}, "…"),
        ("x" * 100_000, {}, "There is no tool 'xxx"),
        ("look", "{'order': 1", "Invalid arguments for look: malformed JSON: "),
    ],
)
async def test_a_call_that_cannot_be_is_one_compact_line_with_the_nearest_names(
    name: str, arguments: Any, words: str
) -> None:
    with serving(asking((name, arguments)), ANSWER) as server:
        async with opened(server.url, SHOP) as engine:
            run = await engine.start("shop", "Hello")
            assert rerun(await engine.journal(run.id), SHOP) is None
        (read,) = read_by_model(server)
    assert words in read
    assert len(read.splitlines()) == 1
    assert len(read) < 600


async def drive_shop(wire: Wire, url: str) -> None:
    """A driver that is killed as soon as the long result is kept."""

    class Tell:
        def info(self, event: str, **fields: object) -> object:
            if fields["trigger"] == "tool_returned":
                wire.say("returned")
                wire.hear()
            return event

    model = OpenAIModel("test-model", api_key="sk-test", base_url=url, timeout=5)
    engine = Engine(store="sqlite:///runs.db", workflows=[SHOP], model=model, log=Tell())
    async with engine:
        await engine.start("shop", "Hello", run_id="r1")


async def test_a_model_reads_on_in_a_result_that_a_killed_driver_had_kept() -> None:
    asked = asking(("look", {"order": "A1"}))
    on = asking(("read_result", {"call_id": "call_1_1", "offset": 997}))
    nonsense = asking(
        ("read_result", {"call_id": "call_9_9"}),
        ("read_result", {"call_id": "call_1_1", "offset": 10**9}),
    )
    with serving(asked, on, nonsense, ANSWER) as server:
        with put_away_later() as children:
            child = children.start(drive_shop, server.url)
            child.wait_for("returned")
            child.kill()
        async with opened(server.url, SHOP) as engine:
            run = await engine.resume("r1")
            journal = await engine.journal("r1")
            assert rerun(journal, SHOP) is None
        cut, part, unknown, beyond = read_by_model(server)
    whole = next(one.event for one in journal if isinstance(one.event, events.ToolReturned))
    assert run.state is State.Done
    assert cut == (
        f"{whole.content[:997]}\n[Cut: 997 of 50,007 characters are shown. "
        'read_result(call_id="call_1_1", offset=997) reads on.]'
    )
    assert part.startswith(whole.content[997:1900])
    assert part.endswith("[Characters 997 to 1,997 of 50,007; it goes on at offset=1997.]")
    assert unknown == "No result under that call_id was cut. Those that were: call_1_1."
    assert beyond == "The result of call_1_1 has 50,007 characters, no more."
