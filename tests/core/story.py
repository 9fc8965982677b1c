"""A run that is moved on as its driver would, as far as nothing outside is needed."""

from copy import copy
from typing import Self

import pytest

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.approvers import ANYBODY, Approvers, Authority
from engine.core.commands import Command
from engine.core.effects import CallTools, Record
from engine.core.evolve import evolve
from engine.core.messages import Message
from engine.core.policy import Policy
from engine.core.run import Approval, Run
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.core.workflow import Workflow
from engine.errors import EngineError
from tests.spec import Given


def pay(order: str, amount: float = 5.0) -> str:
    """Pay for an order."""
    return f"paid {amount} for {order}"


def look(order: str) -> str:
    """Look an order up."""
    return order


LOOKS = tool(read_only=True)(look)
STAFF = Authority(Approvers({"ann": ["agent"], "bob": ["agent"], "mia": ["agent", "manager"]}))


def pays(approval: Policy | None = None) -> Tool:
    return tool(approval=approval)(pay)


def shop(*tools: Tool, approval: Policy | None = None) -> Workflow:
    return Workflow(name="shop", instructions="Help.", tools=(*tools, LOOKS), approval=approval)


def started(workflow: Workflow, by: str | None = None) -> ev.RunStarted:
    return ev.RunStarted(
        run_id="r1",
        workflow="shop",
        instructions="Help.",
        message="Hello",
        definition=workflow.definition,
        tools=workflow.schemas,
        by=by,
    )


def answers(words: str = "Hi") -> ev.ModelAnswered:
    return ev.ModelAnswered(message=Message(role="assistant", content=words))


def valid_for_chat(run: Run) -> bool:
    """Whether every message with tool calls is followed by their results at once, and no others."""
    messages = [*run.messages]
    while messages:
        message = messages.pop(0)
        if message.role == "tool":
            return False
        wanted = [call.id for call in message.tool_calls]
        if run.calls and not messages:
            return wanted == [call.id for call in run.calls]  # the turn that is still open
        found = [messages.pop(0) for _ in wanted if messages]
        if [one.tool_call_id for one in found if one.role == "tool"] != wanted:
            return False
    return True


class Story(Given):
    """What happened is recorded as it happens; `journal` has it all."""

    def __init__(
        self,
        workflow: Workflow,
        *events: ev.Event,
        by: str | None = None,
        authority: Authority = ANYBODY,
    ) -> None:
        super().__init__(())
        self.workflow, self.authority = workflow, authority
        self.journal: list[ev.Event] = []
        self.happens(started(workflow, by), *events).goes_on()

    @property
    def live(self) -> Run:
        """The run, which has been started."""
        assert self.run is not None
        return self.run

    def copy(self) -> Self:
        """The same run, to go another way."""
        other = copy(self)
        other.journal = [*self.journal]
        return other

    def happens(self, *events: ev.Event) -> Self:
        """These are recorded now."""
        for event in events:
            seq = len(self.journal) + 1
            self.run = evolve(self.run, ev.Recorded(seq=seq, at=self.now, event=event))
            self.journal.append(event)
        return self

    def goes_on(self) -> Self:
        """All is recorded that follows of itself."""
        while isinstance(effect := self.effect(), Record):
            self.happens(*effect.events)
        return self

    def says(self, *commands: Command) -> Self:
        """People say these, one by one, and the run goes on."""
        for command in commands:
            self.happens(*accept(self.run, self.workflow, command, self.authority))
        return self.goes_on()

    def unmoved_by(self, command: Command) -> None:
        """The command is taken, and brings about nothing."""
        assert accept(self.run, self.workflow, command, self.authority) == ()

    def refuses(self, command: Command, error: type[EngineError], match: str) -> None:
        """The command is refused."""
        with pytest.raises(error, match=match):
            accept(self.run, self.workflow, command, self.authority)

    @property
    def asked(self) -> Approval:
        """The one open approval."""
        (asked,) = self.live.approvals
        return asked

    @property
    def waiting(self) -> list[str]:
        """The calls that wait for a person."""
        return [one.call_id for one in self.live.approvals]

    @property
    def starts(self) -> tuple[ev.ToolStarted, ...]:
        """What would be started now; nothing where the run waits."""
        effect = self.effect()
        return effect.intents if isinstance(effect, CallTools) else ()

    @property
    def start(self) -> ev.ToolStarted:
        """The one call that would be started now."""
        (start,) = self.starts
        return start

    def returns(self, content: str = "ok") -> Self:
        """What would be started is, and returns."""
        for start in self.starts:
            self.happens(start)
        for call in [one for one in self.live.calls if one.status == "started"]:
            self.happens(ev.ToolReturned(call_id=call.id, content=content))
        return self.goes_on()

    @property
    def read(self) -> list[tuple[str, str | None]]:
        """What the model would read after the instructions: roles and words."""
        return [(one.role, one.content) for one in self.live.messages[1:]]
