"""A shop to evaluate: it looks orders up, pays, notes things down and asks people."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine import (
    Case,
    CaseResult,
    Engine,
    Limits,
    ModelClient,
    ModelReply,
    ModelRequest,
    ScriptedModel,
    Usage,
    Workflow,
    ask_person,
    evaluate,
    tool,
)
from engine.core.policy import ApprovalPolicy
from tests.runtime.test_engine import calls
from tests.spec import look, pay


@tool(approval=ApprovalPolicy(quorum=2))
def ship(where: dict[str, str]) -> str:
    """Send it somewhere."""
    return f"sent to {where}"


@tool(approval="never")
def ring(number: str) -> str:
    """Call somebody, whose line is dead."""
    raise TimeoutError(number)


LOOK, PAY = ("look", {"order": "1"}), ("pay", {"order": "1", "amount": 60})
ASK = ("ask_person", {"question": "Which colour?", "choices": ["red", "blue"]})
SHIP = ("ship", {"where": {"city": "Rome", "street": "Main St 1"}})
RING = ("ring", {"number": "1"})
OK = {"content": "Paid 60 for order 1."}
TOOLS = (look, pay, ship, ring, ask_person())


class Priced(ScriptedModel):
    """A scripted model whose replies each take so many tokens of that model."""

    def __init__(
        self, replies: Sequence[Any], model: str | None = "gpt-5-mini", tokens: int = 1000
    ) -> None:
        super().__init__(replies)
        self._name, self._tokens = model, tokens

    async def complete(self, request: ModelRequest) -> ModelReply:
        reply = await super().complete(request)
        usage = Usage(input_tokens=self._tokens)
        return replace(reply, model=self._name, usage=usage)


def bench(*replies: Any, model: ModelClient | None = None, **more: Any) -> Engine:
    """An engine in memory for the shop, whose model gives these replies."""
    shop = Workflow(
        name="shop",
        instructions="Help.",
        tools=TOOLS,
        limits=Limits(max_turns=6, max_attempts=1),
        model=model or ScriptedModel(replies),
    )
    return Engine(**({"store": "memory://", "workflows": [shop]} | more))


def case(expect: dict[str, Any] | None = None, *approvals: dict[str, Any], **more: Any) -> Case:
    """A case that expects this, where people say that."""
    wanted = {"name": "a case", "workflow": "shop", "message": "Hello", "approvals": approvals}
    return Case.model_validate(wanted | {"expect": expect or {}} | more)


async def tried(one: Case, *replies: Any, **more: Any) -> CaseResult:
    """What came of that case, where the model gives these replies."""
    async with bench(*replies, **more) as engine:
        (result,) = (await evaluate([one], engine)).results
        return result


YES = {"tool": "pay", "verdict": "approve"}
PAYS = (calls(LOOK), calls(PAY), OK)
