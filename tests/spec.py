"""Given some events, the core decides, accepts or refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.commands import Command
from engine.core.decide import decide
from engine.core.effects import Effect
from engine.core.evolve import fold
from engine.core.limits import Limits
from engine.core.messages import FunctionCall, Message, ToolCall
from engine.core.run import Run
from engine.core.tools import tool
from engine.core.workflow import Workflow
from engine.errors import EngineError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order}"


@tool
def pay(order: str, amount: float = 5.0) -> str:
    """Pay for an order."""
    return f"paid {amount} for {order}"


WORKFLOW = Workflow(name="shop", instructions="Help.", tools=(look, pay))
STARTED = ev.RunStarted(
    run_id="r1",
    workflow="shop",
    instructions="Help.",
    message="Hello",
    definition=WORKFLOW.definition,
    tools=WORKFLOW.schemas,
)


def asks(*calls: tuple[str, str], turn: int = 1) -> ev.ToolsRequested:
    """The model asks for these (tool, JSON arguments), under the ids that the engine gives."""
    return ev.ToolsRequested(
        message=Message(
            role="assistant",
            tool_calls=tuple(
                ToolCall(
                    id=f"call_{turn}_{place}", function=FunctionCall(name=name, arguments=text)
                )
                for place, (name, text) in enumerate(calls, 1)
            ),
        )
    )


class Given:
    """A run that has come so far."""

    def __init__(self, events: tuple[ev.Event, ...]) -> None:
        self.workflow, self.now = WORKFLOW, NOON
        self.run: Run | None = fold(
            ev.Recorded(seq=seq, at=NOON, event=event) for seq, event in enumerate(events, 1)
        )

    def under(self, workflow: Workflow) -> Self:
        """The same under another workflow."""
        self.workflow = workflow
        return self

    def limited(self, **limits: Any) -> Self:
        """The same under other limits."""
        limited = Limits(**limits)
        workflow = Workflow(name="shop", instructions="Help.", tools=WORKFLOW.tools, limits=limited)
        assert self.run is not None
        self.run = self.run.model_copy(update={"definition": workflow.definition})
        return self.under(workflow)

    def later(self, seconds: float) -> Self:
        """The same some time later."""
        self.now += timedelta(seconds=seconds)
        return self

    def effect(self) -> Effect:
        """What is decided."""
        assert self.run is not None
        return decide(self.run, self.workflow, self.now)

    def decides(self, effect: Effect) -> None:
        """Exactly this is decided."""
        assert self.effect() == effect

    def accepts(self, command: Command, *events: ev.Event) -> None:
        """The command brings about exactly these events."""
        assert accept(self.run, self.workflow, command) == events

    def refuses(self, command: Command, error: type[EngineError], match: str) -> None:
        """The command is refused."""
        with pytest.raises(error, match=match):
            accept(self.run, self.workflow, command)


def given(*events: ev.Event) -> Given:
    """A run with this journal, every event at NOON."""
    return Given(events)
