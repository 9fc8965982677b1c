"""How the transcript grows: messages that come, replies, and the results of a turn."""

from engine.core import events as ev
from engine.core.bounded import after_reply, said_anew
from engine.core.cutting import READ_RESULT, shown_of
from engine.core.found import results_of
from engine.core.messages import Message, ToolResult
from engine.core.moves import Changes
from engine.core.run import Call, Run
from engine.core.states import State


def heard(run: Run, event: ev.MessageReceived) -> Changes:
    """The run with a message, which stands behind the results of an open turn."""
    message = Message(role="user", content=event.message)
    unread = {"unread": run.unread + 1}
    if run.calls:
        return {"inbox": (*run.inbox, message), **unread}
    heard: Changes = {"messages": (*run.messages, message), "answer": None, "sums_up": False}
    return {**heard, **unread, **(said_anew(run) if run.state is State.Done else {})}


def closed(run: Run) -> Changes:
    """The run after a turn: its results in the model's order, and what came meanwhile."""
    messages = run.messages + _in_model_order(run) + run.inbox
    gave = results_of(run) or run.gave
    return {"messages": messages, "inbox": (), "calls": (), "results": (), "gave": gave}


def replied(run: Run, event: ev.ToolsRequested | ev.ModelAnswered | ev.AnswerSuperseded) -> Changes:
    """The run with a reply in its place: before the messages that the model had not seen."""
    seen = len(run.messages) if event.seen is None else event.seen
    unseen = run.messages[seen:]
    asks, answers = event.kind == "tools_requested", event.kind == "model_answered"
    return {
        # Added, not unpacked: a long transcript is copied once, and not three times.
        "messages": run.messages[:seen] + ((event.message,) if asks else (event.message, *unseen)),
        "inbox": unseen if asks else (),
        "unread": len(unseen),
        "calls": tuple(
            [Call(id=call.id, tool=call.function.name) for call in event.message.tool_calls]
        ),
        "answer": event.message.content if answers else None,
        "sums_up": event.kind == "model_answered" and event.sums_up,
        "turns": run.turns + 1,
        **after_reply(run, event),
        "failures": 0,
        "failure": None,
        "retry_at": None,
    }


def _in_model_order(run: Run) -> tuple[Message, ...]:
    results = {result.call_id: result for result in run.results}
    return tuple(
        Message(
            role="tool", tool_call_id=call.id, content=_told(call, _shown(run, results[call.id]))
        )
        for call in run.calls
    )


def _shown(run: Run, result: ToolResult) -> str:
    if result.shown is None:
        return result.content
    readable = READ_RESULT in run.tools
    return shown_of(result.content, result.shown, result.call_id, readable=readable)


def _told(call: Call, result: str) -> str:
    """The result as the model reads it: it is told what was changed of its call."""
    if call.edits is None:
        return result
    changed = f"A person changed the arguments before the call was made ({call.edits})."
    return f"{changed} It gave:\n{result}"
