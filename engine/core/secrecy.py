"""What of a run must not be told outside its store."""

from dataclasses import dataclass
from typing import Self

from engine.core.events import Event
from engine.core.run import Checkpoint, Run

MASK = "***"


@dataclass(frozen=True, slots=True)
class Secrecy:
    """What is known of a run's secrets so far."""

    def after(self, run: Run, event: Event) -> Self:
        """What is known once `event` has made the run what it is."""
        return self

    def masked(self, kind: str, data: bytes) -> bytes:
        """An event's data without secrets; the same bytes where it holds none."""
        return data

    @classmethod
    def of(cls, run: Checkpoint) -> Self:
        """What is known from the checkpoint alone."""
        return cls()


NOTHING_SECRET = Secrecy()
