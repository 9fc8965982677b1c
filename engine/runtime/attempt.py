"""One attempt at one call, with all that it is made with."""

from dataclasses import dataclass
from datetime import datetime

from engine.core.context import ToolContext, Transaction
from engine.core.events import ToolStarted
from engine.core.tool import Tool
from engine.core.workflow import Workflow
from engine.runtime.backoff import CAP, retry_at
from engine.runtime.notebook import Notebook
from engine.runtime.threads import Work


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that a run's workflow makes with one of its tools, as the intent says."""

    tool: Tool
    intent: ToolStarted
    run_id: str
    workflow: Workflow
    notes: Notebook | None = None

    @property
    def call_id(self) -> str:
        """The call that it is an attempt at."""
        return self.intent.call_id

    @property
    def is_last(self) -> bool:
        """Whether no other one may follow."""
        return self.intent.attempt >= self.workflow.attempts(self.tool)

    def context(self, transaction: Transaction | None = None) -> ToolContext:
        """What the tool is told of it."""
        intent = self.intent
        key = intent.idempotency_key
        about = (self.run_id, intent.call_id, intent.attempt, key)
        return ToolContext(*about, transaction, self.notes)

    def bound(self, transaction: Transaction | None = None) -> dict[str, object]:
        """The keyword arguments for the function."""
        bound = self.tool.bind(self.intent.arguments)
        if self.tool.context is not None:
            bound[self.tool.context] = self.context(transaction)
        return bound

    def work(self) -> Work:
        """Its thread, by a name that says whose it is."""
        return Work(f"waystation {self.tool.name} {self.run_id} {self.call_id}", self.call_id)

    def again_at(self, now: datetime) -> datetime:
        """When the next one may begin."""
        base = self.tool.backoff
        return retry_at(now, self.intent.attempt, cap=max(CAP, base), base=base)
