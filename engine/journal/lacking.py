"""What a copy of a journal lacks that its run would go on with."""

from collections.abc import Mapping

from engine.core.run import Call, Run
from engine.core.states import ENDED
from engine.core.tokens import MASK


def lacking(run: Run) -> tuple[str, ...]:
    """The ids of the open calls of which something that they are to run with is masked.

    Those of which that is known already (`arguments_lost`) are not among them.
    """
    if run.state in ENDED:
        return ()
    asked = {call.id: call.function.arguments for call in run.messages[-1].tool_calls}
    return tuple(
        call.id
        for call in run.calls
        if call.status != "settled" and not call.lost and MASK in _runs_with(call, asked)
    )


def _runs_with(call: Call, asked: Mapping[str, str]) -> str:
    known = (call.arguments, call.edited, asked.get(call.id))
    return str(next((one for one in known if one is not None), ""))
