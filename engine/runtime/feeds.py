"""What happens to runs, passed on to whoever watches: never waited for, never kept for long."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.core.clean import clean_text
from engine.core.updates import TextDelta
from engine.core.workflow import ModelRequest, OnDelta
from engine.ports import Entry

MOST_ITEMS = 1000
MOST_LETTERS = 100_000  # of one try's text that nobody has read yet


@dataclass(slots=True)
class Words:
    """Text of one try at the model, in the pieces in which it came."""

    run_id: str
    seq: int
    turn: int
    attempt: int
    pieces: list[str] = field(default_factory=list)
    letters: int = 0
    missed: int = 0

    def delta(self) -> TextDelta:
        """All of it as one."""
        return TextDelta(
            run_id=self.run_id,
            seq=self.seq,
            turn=self.turn,
            attempt=self.attempt,
            text="".join(self.pieces),
            missed=self.missed,
        )

    def follows(self, other: object) -> bool:
        """Whether it goes on where the other ends."""
        mine = (self.seq, self.turn, self.attempt)
        return isinstance(other, Words) and mine == (other.seq, other.turn, other.attempt)


class Feed:
    """What one watcher has not read yet, of one run: entries of its journal, and text.

    Text that is not read in time grows together, and is left out when there is too much
    of it. Where there are too many entries they are left out, too: the store has them.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.newest = 0
        self._items: deque[Entry | Words] = deque()
        self._lost: Words | None = None
        self._changed = asyncio.Event()

    def put(self, entries: Sequence[Entry]) -> None:
        """Nothing; these are durable now."""
        self._items.extend(entries)
        self.newest = max(self.newest, *(entry.seq for entry in entries))
        if len(self._items) > MOST_ITEMS:
            texts = [one for one in self._items if isinstance(one, Words)]
            self._lost = texts[-1] if texts else self._lost
            self._items.clear()
        self._changed.set()

    def say(self, words: Words) -> None:
        """Nothing; the model has written more."""
        last = self._items[-1] if self._items else None
        if not (isinstance(last, Words) and words.follows(last)):
            if self._lost is not None and words.follows(self._lost):
                words.missed += self._lost.letters + self._lost.missed
            self._lost = None
            self._items.append(words)
        elif last.letters + words.letters > MOST_LETTERS:
            last.missed += last.letters + words.letters
            last.pieces, last.letters = [], 0
        else:
            last.pieces.extend(words.pieces)
            last.letters += words.letters
        self._changed.set()

    def take(self) -> Entry | Words | None:
        """The next of what there is, if there is any."""
        return self._items.popleft() if self._items else None

    def wake(self) -> None:
        """Nothing; who waits looks again."""
        self._changed.set()

    async def change(self) -> None:
        """Nothing, once there may be more."""
        await self._changed.wait()
        self._changed.clear()


class Feeds:
    """The feeds of those who watch, by run."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._feeds: dict[str, list[Feed]] = {}

    def open(self, run_id: str) -> Feed:
        """A feed of what happens to the run from now on."""
        feed = Feed()
        self._feeds.setdefault(run_id, []).append(feed)
        return feed

    def close(self, run_id: str, feed: Feed) -> None:
        """Nothing; it gets nothing more."""
        left = [one for one in self._feeds.get(run_id, ()) if one is not feed]
        if left:
            self._feeds[run_id] = left
        else:
            self._feeds.pop(run_id, None)

    def put(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Nothing; these are durable now."""
        for feed in self._feeds.get(run_id, ()) if entries else ():
            feed.put(entries)

    def hearer(self, request: ModelRequest, seq: int) -> OnDelta | None:
        """What takes the text of an answer to the request; None where nobody watches."""
        run_id = request.run_id
        if run_id not in self._feeds:
            return None

        letters, begun = 0, {*self._feeds[run_id]}

        def hear(text: str) -> None:
            nonlocal letters
            said = clean_text(text)
            for feed in self._feeds.get(run_id, ()) if said else ():
                missed = 0 if feed in begun else letters  # it came in the midst of it
                begun.add(feed)
                about = (run_id, seq, request.turn, request.attempt)
                feed.say(Words(*about, [said], len(said), missed))
            letters += len(said)

        return hear
