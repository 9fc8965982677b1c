"""Runs whose past was written elsewhere: forked off another run, or rebuilt from a masked log."""

from typing import assert_never

from engine.core import events as ev
from engine.core.moves import Changes
from engine.core.run import Call, Origin, Run


def of_the_journal(run: Run, event: ev.JournalEvent) -> Changes:
    """The run after an event about its journal; KeyError where it names no call of the turn."""
    match event:
        case ev.RunForked():
            return _off_another(run, event)
        case ev.ArgumentsLost():
            return _lost(run, event)
        case ev.DataErased():
            return {"erased": True, "sums_up": False}
        case ev.ChainSealed():
            return {}
        case other:
            assert_never(other)


def _off_another(run: Run, event: ev.RunForked) -> Changes:
    """The run as a fork of another: what people allowed there counts for nothing here.

    A call that may have happened there is in doubt here, whatever its tool says: under this
    run's own key, a repeat would be a second effect.
    """
    return {
        "origin": Origin(run_id=event.run_id, seq=event.at_seq),
        "calls": tuple(map(_forked, run.calls)),
        "approvals": (),
        "rules": (),
        "raised": {},
        "retry_at": None,
    }


def _forked(call: Call) -> Call:
    if call.status == "settled":
        return call
    unallowed = {"approval_id": None, "digest": None, "accepted": None, "batch": False}
    unedited = {"edited": None, "edits": None, "retry_at": None}
    doubtful = call.doubtful or call.in_doubt
    changes: dict[str, object] = {**unallowed, **unedited, "status": "requested"}
    if doubtful:
        error = "it was started in the run that this one was forked off"
        changes |= {"status": "interrupted", "repeats": None, "reconciled": True, "error": error}
    elif call.status in ("started", "interrupted"):  # it only read, or was rolled back
        changes |= {"attempt": 0, "arguments": None}
    return call.model_copy(update=changes)


def _lost(run: Run, event: ev.ArgumentsLost) -> Changes:
    """The run with calls of which it is not known any more what they were to run with."""
    named = {run.call(call_id).id for call_id in event.calls}
    changes = {
        "status": "interrupted",
        "lost": True,
        "approval_id": None,
        "digest": None,
        "arguments": None,
        "edited": None,
        "edits": None,
        "repeats": None,
        "reconciled": True,
        "retry_at": None,
        "error": "the log that it was rebuilt from does not have all of its arguments",
    }
    return {
        "calls": tuple(
            call.model_copy(update=changes) if call.id in named else call for call in run.calls
        ),
        "approvals": tuple(one for one in run.approvals if one.call_id not in named),
    }
