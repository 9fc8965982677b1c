"""The only calls to tools. What comes back is events, never an exception of theirs."""

from collections.abc import Callable
from datetime import datetime

from engine.core import events as ev
from engine.core.context import Transaction
from engine.core.tool import Reconciler, Tool
from engine.errors import DefinitionError
from engine.runtime.acting import acting
from engine.runtime.attempt import Attempt
from engine.runtime.failing import Outcome, failure
from engine.runtime.processes import in_own_process
from engine.runtime.results import readable, returned, said
from engine.runtime.running import run_function, run_in_transaction
from engine.runtime.stop import is_our_cancellation
from engine.runtime.threads import left_behind

Now = Callable[[], datetime]


async def call_tool(attempt: Attempt, now: Now) -> Outcome:
    """What came of running the tool once."""
    try:
        with acting(attempt.tool.name):
            text = await _text(attempt)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a tool raises is for the model, or a person, to read
        if is_our_cancellation(error):
            raise
        return failure(attempt, error, now())
    return _returned(attempt, text)


def call_in_transaction(attempt: Attempt, transaction: Transaction) -> ev.ToolReturned:
    """What a transactional tool returned; what it raises is raised here."""
    with acting(attempt.tool.name):
        value = run_in_transaction(attempt, transaction)
    return _returned(attempt, readable(value))


async def reconcile(
    attempt: Attempt, now: Now
) -> ev.ToolReturned | ev.ToolNotExecuted | ev.ReconcileFailed:
    """What the tool's own look-up says of a start whose result was lost."""
    tool, start = attempt.tool, attempt.intent
    if left := left_behind(attempt.run_id, start.call_id):
        words = f"it was not looked up what came of it, as {left!r} may still act"
        return ev.ReconcileFailed(call_id=start.call_id, error=words)
    try:
        with acting(tool.name):
            asked = (start.idempotency_key, start.arguments)
            found = await run_function(attempt, _look_up(tool), asked, {})
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an author's look-up may raise anything
        if is_our_cancellation(error):
            raise
        words = f"looking up what came of it failed: {said(error)}"
        return ev.ReconcileFailed(call_id=start.call_id, error=words)
    if found is None:
        words = "it did not happen, as was looked up"
        retry_at = attempt.again_at(now()) if tool.transient else now()
        return ev.ToolNotExecuted(
            call_id=start.call_id, error=words, retry_at=retry_at, reconciled=True
        )
    return _returned(attempt, readable(found)).model_copy(update={"reconciled": True})


async def _text(attempt: Attempt) -> str:
    tool = attempt.tool
    if tool.isolation == "process":
        return await in_own_process(attempt)
    return readable(await run_function(attempt, tool.function, (), attempt.bound()))


def _returned(attempt: Attempt, text: str) -> ev.ToolReturned:
    return returned(attempt.call_id, text, attempt.workflow.limits)


def _look_up(tool: Tool) -> Reconciler:
    if tool.reconcile is None:
        raise DefinitionError(f"tool {tool.name} offers no look-up")
    return tool.reconcile
