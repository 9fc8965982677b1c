"""A shop whose runs are recorded, and what may become of its code later."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import Engine, Run, ScriptedModel, Tool, Workflow, events
from tests.clock import Jumping
from tests.runtime.test_engine import calls
from tests.spec import look, pay

LOOK, PAY = ("look", {"order": "1"}), ("pay", {"order": "1", "amount": 60})
OK: dict[str, Any] = {"content": "ok"}
APPROVERS = {"ann": ["manager"], "bob": ["manager", "clerk"]}


SHOP = Workflow(name="shop", instructions="Help.\nBe brief.", tools=(look, pay))
WORKFLOWS = [SHOP]
OTHER_PROMPT = [replace(SHOP, instructions="Help.\nBe polite.")]
WITH_TOKEN = [replace(SHOP, instructions="Use sk-Canary0123456789abcdefghij")]
UNASKED = [replace(SHOP, tools=(look, replace(pay, approval="never")))]


def with_pay(paying: Tool) -> Workflow:
    """The shop with another tool for paying."""
    return replace(SHOP, tools=(look, paying))


async def record(
    workflow: Workflow,
    *replies: dict[str, Any],
    then: Callable[[Engine], Coroutine[Any, Any, Run]] | None = None,
    log: Path | None = None,
    run_id: str = "r1",
) -> Sequence[events.Recorded]:
    """The journal of a run in which the model says this, and `then` happens."""
    model = None if workflow.model else ScriptedModel([*replies, *[OK] * 3])
    async with Engine(
        store="memory://",
        workflows=[workflow],
        model=model,
        log=log,
        clock=Jumping(),
        approvers=APPROVERS,
    ) as engine:
        await engine.start(workflow.name, "Hello", run_id, by="cy")
        if then is not None:
            await then(engine)
        return await engine.journal(run_id)


def approved(by: str = "ann", **more: Any) -> Callable[[Engine], Coroutine[Any, Any, Run]]:
    """What waits is approved."""
    return lambda engine: engine.approve("r1", by=by, **more)


def write_log(file: Path, run_id: str = "r1", *, workflow: Workflow = SHOP) -> None:
    """The log of a run that looks, and then waits for a payment's approval."""
    file.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(record(workflow, calls(LOOK), calls(PAY), log=file, run_id=run_id))
