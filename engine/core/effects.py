"""What to do next, as data."""

from dataclasses import dataclass
from datetime import datetime

from engine.core.context_policy import StrategyName
from engine.core.events import Event, ToolStarted


@dataclass(frozen=True, slots=True)
class CallModel:
    """Ask the model for the next message."""

    turn: int
    attempt: int


@dataclass(frozen=True, slots=True)
class SumUp:
    """Ask the model to sum up what it is not to be sent any more; see ContextCompacted.

    `tokens` are those of what it is sent then, without the summary; that may be of
    `longest` characters. What is to be summed up must fit into `room` tokens.
    """

    turn: int
    attempt: int
    strategies: tuple[StrategyName, ...]
    start: int
    noted: int
    seen: int
    before: int
    tokens: int
    room: int

    @property
    def longest(self) -> int:
        """How many characters the summary may have."""
        return max(400, min(6_000, self.room // 3))


@dataclass(frozen=True, slots=True)
class Recap:
    """Ask the model for a summary of the run, which is Done, for later ones."""

    turn: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class CallTools:
    """Commit these intents, then run what they say, all at once."""

    intents: tuple[ToolStarted, ...]


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Look up what came of these starts, whose results are lost."""

    starts: tuple[ToolStarted, ...]


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell these notifiers, by approval id and name, of what waits for a person."""

    untold: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Note down what follows from the run as it is; nothing outside happens."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Park:
    """Wait on disk: until a time that is worth sitting out, or (None) until the run is ready."""

    until: datetime | None = None


Effect = CallModel | SumUp | Recap | CallTools | Reconcile | Notify | Record | Park
