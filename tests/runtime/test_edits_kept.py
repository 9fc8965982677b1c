"""What a person changed of a call is told to the model, whatever becomes of the call then."""

from pydantic import JsonValue

from engine import Engine, ScriptedModel, Workflow, tool
from tests.runtime.test_engine import calls


async def test_the_model_is_told_of_an_edit_after_the_call_was_in_doubt_too() -> None:
    broken = [TimeoutError("slow")]

    @tool
    def pay(order: str, amount: int) -> str:
        """Pay."""
        if broken:
            raise broken.pop()
        return f"paid {amount} for {order}"

    workflow = Workflow(name="shop", instructions="Help.", tools=[pay])
    model = ScriptedModel([calls(("pay", {"order": "1", "amount": 90})), {"content": "ok"}])
    async with Engine(store="memory://", workflows=[workflow], model=model) as waystation:
        await waystation.start("shop", "Hello", "r1")
        changed: dict[str, JsonValue] = {"order": "1", "amount": 9}
        run = await waystation.approve("r1", by="ann", arguments=changed)
        assert [one.kind for one in run.approvals] == ["in_doubt"]
        run = await waystation.approve("r1", by="ann", retry=True)
    told = run.messages[-2].content or ""
    assert "amount: 90 -> 9" in told
    assert told.endswith("paid 9 for 1")
