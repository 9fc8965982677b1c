"""What becomes of a call whose tool raised: certainly nothing, perhaps something, or an answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from engine.core import events as ev
from engine.core.terms import names_of
from engine.errors import NotExecuted
from engine.runtime.attempt import Attempt
from engine.runtime.doubt import leaves_doubt
from engine.runtime.results import said

Outcome = ev.ToolReturned | ev.ToolFailed | ev.ToolNotExecuted | ev.ToolInterrupted

_NOT_EXECUTED = names_of((NotExecuted,))


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception, wherever it was raised: its words, its classes, and if it leaves doubt."""

    words: str
    kinds: frozenset[str]
    doubt: bool

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What there is to know of an exception."""
        kinds = names_of(type(error).__mro__)
        words = said(error)
        if kinds & _NOT_EXECUTED:  # it says what was not done, not what went wrong
            words = words.partition(": ")[2] or words
        return cls(words, kinds, leaves_doubt(error))


class RaisedElsewhere(Exception):  # noqa: N818 # it stands for another one
    """A tool raised in a process of its own."""

    def __init__(self, raised: Raised) -> None:
        """Take what was raised."""
        super().__init__(raised.words)
        self.raised = raised


def failure(attempt: Attempt, error: BaseException, now: datetime) -> Outcome:
    """The event that an exception of a tool is."""
    raised = error.raised if isinstance(error, RaisedElsewhere) else Raised.of(error)
    tool, call_id = attempt.tool, attempt.call_id
    harmless = tool.read_only or tool.transactional
    said_nothing_done = raised.kinds & (_NOT_EXECUTED | names_of(tool.not_executed))
    again = bool(raised.kinds & names_of(tool.transient)) and not attempt.is_last
    if said_nothing_done or (again and harmless):
        retry_at = attempt.again_at(now)
        return ev.ToolNotExecuted(call_id=call_id, error=raised.words, retry_at=retry_at)
    if again or (raised.doubt and not harmless):
        retry_at = attempt.again_at(now)
        return ev.ToolInterrupted(call_id=call_id, error=raised.words, retry_at=retry_at)
    return ev.ToolFailed(call_id=call_id, error=raised.words)
