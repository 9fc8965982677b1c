"""What people ask of a run."""

from engine.core.shape import Shape


class Start(Shape):
    """Begin a run with a first message; `by` is whose run it is."""

    run_id: str
    message: str
    by: str | None = None


class Approve(Shape):
    """Allow one call; `call_id` may be left out while only one waits.

    `digest` is that of the action which the person saw, in hex, or its first 8 or more
    characters: where another one waits by now, nothing is allowed. `retry` says that a
    call in doubt is to be run again.
    """

    call_id: str | None = None
    digest: str | None = None
    by: str
    note: str | None = None
    retry: bool = False


class Deny(Shape):
    """Refuse one call; the model reads the reason. See Approve for `digest`."""

    call_id: str | None = None
    digest: str | None = None
    by: str
    reason: str | None = None


class Answer(Shape):
    """Say what came of one call; the model reads `result`, and the tool is not run.

    See Approve for `digest`.
    """

    call_id: str | None = None
    digest: str | None = None
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
