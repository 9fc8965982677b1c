"""Reading every run of a store, to find those that do not hold together."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.codec.chain import PLAIN, AuditKeys
from engine.core.shape import Shape
from engine.errors import CorruptRunError, StoreError, UnreadableRunError, UnverifiedRunError
from engine.ports import Checkable, Head, Store
from engine.runtime.draft import Draft
from engine.runtime.load import load

_PAGE = 500


class Anchor(Shape):
    """A run's newest event at some time: kept elsewhere, it shows later what was cut off since.

    `digest` is in hex; `at` is when the event was recorded.
    """

    run_id: str
    seq: int
    digest: str
    at: datetime


def by_run(anchors: Iterable[Anchor]) -> dict[str, list[Anchor]]:
    """The anchors of each run, in the order in which they were kept."""
    found: dict[str, list[Anchor]] = {}
    for one in anchors:
        found.setdefault(one.run_id, []).append(one)
    return found


@dataclass(slots=True)
class Examined:
    """What was found: `damaged` has words by run id ("" for the store itself).

    `unverified` has words on runs that cannot be verified with the keys at hand. `keyed`
    counts the whole runs by the id of the audit key that their newest event is under;
    `plain` are those under none, where the chain finds accidents only. `archived` are the
    runs of which only a line is left here, and which files have. `masked` are those of the
    plain ones in which something was masked or erased: anybody could have written what is left.
    """

    damaged: dict[str, str] = field(default_factory=dict)
    unverified: dict[str, str] = field(default_factory=dict)
    keyed: Counter[str] = field(default_factory=Counter)
    plain: int = 0
    archived: int = 0
    masked: int = 0

    @property
    def whole(self) -> int:
        """How many runs hold together."""
        return self.plain + self.keyed.total()


async def examine(
    store: Store, keys: AuditKeys = PLAIN, anchors: Mapping[str, Sequence[Anchor]] | None = None
) -> Examined:
    """What holds together, and what does not; StoreError where the store cannot be read.

    `anchors` are those of each run: what is not as it was anchored is damaged.
    """
    found, left = Examined(), dict(anchors or {})
    if isinstance(store, Checkable):
        faults = "; ".join(await store.faults())
        found.damaged.update({"": faults} if faults else {})
    async for head in every_head(store):
        try:
            draft = await load(store, head.run_id, keys)
            if draft.run is None:
                raise CorruptRunError(f"run {head.run_id} is damaged: it is not found by its name")
            await _require_anchored(store, head.run_id, left.pop(head.run_id, ()))
        except (UnreadableRunError, StoreError) as error:
            unverified = isinstance(error, UnverifiedRunError)
            (found.unverified if unverified else found.damaged)[head.run_id] = str(error)
            left.pop(head.run_id, None)
        else:
            _count(found, draft)
    for run_id, (*_, last) in left.items():
        found.damaged[run_id] = f"run {run_id} is gone; it was anchored at seq {last.seq}"
    return found


def _count(found: Examined, draft: Draft) -> None:
    if draft.key:
        found.keyed[draft.key] += 1
    else:
        found.plain += 1
        found.masked += draft.forgeable


async def _require_anchored(store: Store, run_id: str, anchors: Sequence[Anchor]) -> None:
    """Nothing; CorruptRunError where an anchored event is not there, or is another."""
    if not anchors:
        return
    digests = {entry.seq: entry.digest.hex() for entry in await store.entries(run_id)}
    for one in anchors:
        if one.seq not in digests:
            raise CorruptRunError(
                f"run {run_id} ends at seq {len(digests)}, though it was anchored at seq "
                f"{one.seq}: its end was cut off"
            )
        if digests[one.seq] != one.digest:
            words = "is not the event that was anchored"
            raise CorruptRunError(f"run {run_id} is damaged: what stands at seq {one.seq} {words}")


async def anchors_of(
    store: Store, keys: AuditKeys, damaged: list[str] | None
) -> AsyncIterator[Anchor]:
    """The anchor of every run that holds together; what is wrong with others is added."""
    async for head in every_head(store):
        try:
            draft = await load(store, head.run_id, keys)
        except (UnreadableRunError, StoreError) as error:
            if damaged is not None:
                damaged.append(str(error))
            continue
        run, digest = draft.live, draft.digest.hex()
        yield Anchor(run_id=run.id, seq=run.seq, digest=digest, at=run.updated_at)


async def every_head(store: Store) -> AsyncIterator[Head]:
    """Every run's row, the newest run first; a damaged row may come twice."""
    after: str | None = None
    while True:
        page = await store.heads(limit=_PAGE, after=after)
        for head in page:
            yield head
        after = end_of(page, _PAGE)
        if after is None:
            return


def end_of(page: Sequence[Head], limit: int) -> str | None:
    """The run after which the next page begins; None where there is none.

    A damaged row whose name is no text cannot be named, so one before it is; rows may then
    come twice.
    """
    if len(page) < limit:
        return None
    return next((row.run_id for row in reversed(page) if "\ufffd" not in row.run_id), None)
