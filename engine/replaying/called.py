"""What a run asked of tools, counted event by event."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from engine.core import events as ev
from engine.core.run import Run
from engine.replaying.figures import ToolUse


@dataclass(slots=True)
class Calls:
    """Calls by tool, and by what became of them."""

    _counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def open_in(cls, run: Run) -> Self:
        """The run's unsettled calls, as if they had just been asked for."""
        return cls(Counter((call.tool, "asked") for call in run.calls if call.status != "settled"))

    def take(self, before: Run, event: ev.Event, after: Run) -> None:
        """Count the event, if it is of a call."""
        self._counted.update(_steps(before, event, after))

    def used(self, run: Run) -> tuple[ToolUse, ...]:
        """Each tool by its name, with the calls that `run` has left unsettled."""
        left = Counter(
            (call.tool, "in_doubt" if call.in_doubt or call.doubtful else "open")
            for call in run.calls
            if call.status != "settled"
        )
        by_tool: dict[str, dict[str, int]] = {}
        for (tool, step), count in (self._counted + left).items():
            by_tool.setdefault(tool, {})[step] = count
        return tuple(
            ToolUse.model_validate({"tool": tool, **steps})
            for tool, steps in sorted(by_tool.items())
        )


def _steps(before: Run, event: ev.Event, after: Run) -> Iterator[tuple[str, str]]:
    """The tools, each with the step that one of its calls has taken."""
    match event:
        case ev.ToolsRequested():
            for call in event.message.tool_calls:
                yield call.function.name, "asked"
        case ev.ToolStarted():
            again = before.call(event.call_id).started_at is not None
            yield event.tool, "retried" if again else "started"
        case ev.ToolReturned():
            yield before.call(event.call_id).tool, "returned"
        case ev.ToolFailed():
            yield before.call(event.call_id).tool, "failed"
        case ev.ApprovalDenied(call_id=""):  # of going on at a limit
            return
        case ev.ApprovalDenied() | ev.ApprovalAnswered() | ev.ApprovalExpired():
            about = after.call(event.call_id)
            if about.status == "settled":  # else it was escalated
                yield about.tool, "decided"
        case _:
            return
