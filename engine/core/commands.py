"""What people ask of a run."""

from engine.core.shape import Shape


class Start(Shape):
    """Begin a run with a first message."""

    run_id: str
    message: str


class Approve(Shape):
    """Allow one call; `call_id` may be left out while only one waits.

    `retry` says that a call in doubt is to be run again.
    """

    call_id: str | None = None
    by: str
    note: str | None = None
    retry: bool = False


class Deny(Shape):
    """Refuse one call; the model reads the reason."""

    call_id: str | None = None
    by: str
    reason: str | None = None


class Answer(Shape):
    """Say what came of one call; the model reads `result`, and the tool is not run."""

    call_id: str | None = None
    by: str
    result: str
    note: str | None = None


class AcceptChanges(Shape):
    """Let the calls that were asked for under other code go on under today's."""

    by: str


class Abort(Shape):
    """Give the run up."""

    by: str
    reason: str | None = None


Command = Start | Approve | Deny | Answer | AcceptChanges | Abort
