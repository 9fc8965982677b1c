"""What is handed on when a run waits for a person."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from engine.core.run import Approval, Occasion
from engine.core.shape import Shape


class Notice(Shape):
    """One open approval, as a notifier is told of it, and on which occasion.

    `notice_id` is the same at every attempt at telling one thing to one notifier.
    """

    notice_id: str
    run_id: str
    workflow: str
    started_by: str | None
    occasion: Occasion
    at: datetime
    approval: Approval


@runtime_checkable
class Notifier(Protocol):
    """Somebody to tell, under a name that is its own in the workflow."""

    @property
    def name(self) -> str:
        """The name that the journal has it by."""
        ...

    async def notify(self, notice: Notice) -> None:
        """Nothing, once it was told; whatever it raises means that it was not, and is tried again.

        It is broken off after 10 seconds.
        """
        ...
