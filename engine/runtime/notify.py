"""The only calls to notifiers. What comes back is events, never an exception of theirs."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from engine.core import events as ev
from engine.core.canonical import digest
from engine.core.clean import error_words
from engine.core.notices import Notice
from engine.core.run import Approval, Run
from engine.core.secrecy import Secrecy
from engine.core.workflow import Workflow
from engine.runtime.backoff import retry_at
from engine.runtime.stop import is_our_cancellation

TIMEOUT = 10.0  # seconds for one attempt at one notifier
MOST_ATTEMPTS = 12
_LONGEST = 3600.0  # seconds from one attempt to the next

Told = ev.ApprovalNotified | ev.NotificationFailed


async def tell(
    run: Run,
    workflow: Workflow,
    untold: tuple[tuple[str, str], ...],
    now: Callable[[], datetime],
) -> list[Told]:
    """What came of telling each of these notifiers once, all at the same time."""
    asked = [(run.approval(approval_id), name) for approval_id, name in untold]
    tellings = [_tell_one(run, workflow, approval, name, now) for approval, name in asked]
    return list(await asyncio.gather(*tellings))


async def _tell_one(
    run: Run, workflow: Workflow, asked: Approval, name: str, now: Callable[[], datetime]
) -> Told:
    notifier = next((one for one in workflow.notifiers if one.name == name), None)
    if notifier is None:
        return _failed(asked, name, "the workflow has no such notifier any more", None)
    try:
        async with asyncio.timeout(TIMEOUT):
            await notifier.notify(_notice(run, asked, name, now()))
    except (Exception, asyncio.CancelledError) as error:  # somebody else's may raise anything
        if is_our_cancellation(error):
            raise
        return _failed(asked, name, error_words(error), now())
    return ev.ApprovalNotified(approval_id=asked.approval_id, call_id=asked.call_id, notifier=name)


def _failed(asked: Approval, name: str, error: str, now: datetime | None) -> ev.NotificationFailed:
    """The attempt that came to nothing; without a time, or after the last one, it is given up."""
    attempt = 1 + next((one.attempt for one in asked.untold if one.notifier == name), 0)
    again = None
    if now is not None and attempt < MOST_ATTEMPTS:
        again = retry_at(now, attempt, cap=_LONGEST)
    return ev.NotificationFailed(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        notifier=name,
        error=error,
        attempt=attempt,
        retry_at=again,
    )


def _notice(run: Run, asked: Approval, name: str, at: datetime) -> Notice:
    what = [asked.approval_id, name, str(asked.expires_at), str(asked.remind_at), asked.digest]
    told = asked.model_copy(update={"untold": (), "notify": ()}, deep=True)
    return Notice(
        notice_id=digest(list(what))[:32],
        run_id=run.id,
        workflow=run.workflow,
        started_by=run.by,
        occasion=asked.occasion,
        at=at,
        approval=Secrecy.of(run).told(told),
    )
