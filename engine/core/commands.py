"""What people ask of a run."""

from engine.core.shape import Shape


class Start(Shape):
    """Begin a run with a first message."""

    run_id: str
    message: str


class Approve(Shape):
    """Allow one call; `call_id` may be left out while only one waits."""

    call_id: str | None = None
    by: str
    note: str | None = None


class Deny(Shape):
    """Refuse one call; the model reads the reason."""

    call_id: str | None = None
    by: str
    reason: str | None = None


class Abort(Shape):
    """Give the run up."""

    by: str
    reason: str | None = None


Command = Start | Approve | Deny | Abort
