"""What a copy of a journal lacks that its run would go on with."""

from engine.core.run import Run
from engine.core.states import ENDED
from engine.core.tokens import MASK


def lacking(run: Run) -> tuple[str, ...]:
    """The ids of the open calls of which something that they were to run with is masked."""
    if run.state in ENDED:
        return ()
    asked = {call.id: call.function.arguments for call in run.messages[-1].tool_calls}
    return tuple(
        call.id
        for call in run.calls
        if call.status != "settled" and MASK in f"{asked.get(call.id)}{call.arguments}{call.edited}"
    )
