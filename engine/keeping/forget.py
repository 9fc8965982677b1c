"""What was said in ended runs, erased from the store, its archives and its logs."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import orjson

from engine.codec.checkpoints import decode_checkpoint
from engine.codec.events import ticks
from engine.core.erasing import About, name_of
from engine.core.states import ENDED
from engine.errors import ConflictError, CorruptRunError, RefusedError, UnreadableRunError
from engine.journal.lines import Line
from engine.journal.walk import walk
from engine.keeping.erase import Asked, erase, raw_lines
from engine.keeping.keeper import Keeper, drives
from engine.keeping.rewriting import Rewritten, rewrite
from engine.logs.reading import Tally, read_lines
from engine.logs.runs import LoggedRun, logged_runs
from engine.ports import Archived
from engine.remembering import Erasure, Remembering
from engine.runtime.commit import settle_log
from engine.runtime.draft import Draft
from engine.runtime.load import load, unknown
from engine.runtime.verify import every_head

_STARTED = "run_started"


@dataclass(slots=True)
class Forgetting:
    """What became of it.

    `erased` has, by run, in how many of its events something was erased now (0: it was
    already); `left` why others were left as they are; `files` in how many lines each was
    changed; `doubtful` where lines stand that may be ours, and cannot be read. `traces` where
    the store's files may still hold some of it, as somebody else was reading them. `facts` is
    how many notes are gone.
    """

    erased: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    traces: bool = False
    facts: int = 0


async def forget(
    keeper: Keeper, runs: Sequence[str], asked: Asked, logs: Sequence[Path]
) -> Forgetting:
    """Erase these runs, and those of the customer who is `asked` about, wherever they are.

    The store goes first, then the archives, then these logs; broken off anywhere, it is
    finished by doing the same again. Raises BadInputError where a log cannot be read.
    """
    work = _Work(keeper, asked, tuple(dict.fromkeys(logs)))
    wanted = dict.fromkeys([*runs, *[run_id async for run_id in work.of_the_customer()]])
    await work.erase_stored(wanted)
    await work.erase_archived()
    await work.rewrite_files()
    await work.erase_facts()
    work.done.traces = not await keeper.store.tidy()
    return work.done


@dataclass(slots=True)
class _Work:
    """One erasure: the lines that are left of each run, and the rows of those in archives."""

    keeper: Keeper
    asked: Asked
    logs: tuple[Path, ...]
    done: Forgetting = field(default_factory=Forgetting)
    lines: dict[str, dict[int, bytes]] = field(default_factory=dict)
    rows: dict[str, Archived] = field(default_factory=dict)
    more: dict[str, list[bytes]] = field(default_factory=dict)
    told: list[Line] = field(default_factory=list)
    after: dict[str, Archived] = field(default_factory=dict)

    async def of_the_customer(self) -> AsyncIterator[str]:
        """The runs that are, or in some copy were, about the customer; none without one."""
        if self.asked.customer is None:
            return
        async for head in every_head(self.keeper.store):
            try:
                if decode_checkpoint(head.checkpoint).customer == self.asked.customer:
                    yield head.run_id
            except UnreadableRunError as error:
                self.done.left[head.run_id] = f"run {head.run_id} may be theirs: {error}"
        archives = [Path(place) for place in await self.keeper.places()]
        for run_id in await asyncio.to_thread(list, self._in_files((*archives, *self.logs))):
            known = await self.keeper.store.head(run_id) is not None
            if known or await self.keeper.store.archived(run_id):
                yield run_id

    def _in_files(self, files: Sequence[Path]) -> Iterator[str]:
        for line in read_lines([file for file in files if file.is_file()], Tally()):
            told = orjson.loads(line.entry.data) if line.entry.kind == _STARTED else {}
            if told.get("customer") == self.asked.customer:
                yield line.run_id

    async def erase_stored(self, wanted: Sequence[str] | dict[str, None]) -> None:
        """Nothing; what is in the store is erased there. What was archived comes later."""
        for run_id in wanted:
            try:
                draft = await self._erased(run_id)
            except (UnreadableRunError, RefusedError, ConflictError) as error:
                self.done.left[run_id] = str(error)
                continue
            if draft is None and (row := await self.keeper.store.archived(run_id)):
                self.rows[run_id] = row
            elif draft is None:
                self.done.left[run_id] = str(await unknown(self.keeper.store, run_id))

    async def _erased(self, run_id: str) -> Draft | None:
        """The run, erased and durable; None where it is not in the store.

        Raises RefusedError for one that is active, ConflictError for one that is held.
        """
        store, keys = self.keeper.store, self.keeper.keys
        while True:
            now = await load(store, run_id, keys)
            head = await store.head(run_id)
            if now.run is None or head is None:
                return None
            if now.run.state not in ENDED:
                words = f"is {now.run.state}; abort it first (waystation abort {run_id})"
                raise RefusedError(f"run {run_id} {words}")
            if by := drives(head):
                raise ConflictError(f"run {run_id} is still held by {by}; try again later")
            seq = now.run.seq
            entries = takewhile(lambda one: one.seq <= seq, await store.entries(run_id))  # noqa: B023 # used up here
            draft = erase(walk(entries, run_id, keys), keys, self.asked)
            self._note(draft, raw=raw_lines(draft))
            draft.lease = now.lease
            draft.lines = [line for line in draft.lines if line.entry.seq > head.logged]
            try:
                if draft.lines:
                    await settle_log(draft, store, self.keeper.telemetry)
            except ConflictError:
                continue
            return draft

    def _note(self, draft: Draft, raw: dict[int, bytes]) -> None:
        self.lines[draft.live.id] = raw
        self.done.erased[draft.live.id] = len(draft.replaced)

    async def erase_archived(self) -> None:
        """Nothing; it is known what is left of the runs that only archives have."""
        for place in dict.fromkeys(row.place for row in self.rows.values()):
            wanted = {run_id for run_id, row in self.rows.items() if row.place == place}
            for run in self._whole_in(Path(place)):
                if run.run_id in wanted:
                    wanted.remove(run.run_id)
                    self._erase_logged(run, self.rows[run.run_id])
            for run_id in wanted:
                words = f"was archived in {place}, which does not have it any more"
                self.done.left[run_id] = f"run {run_id} {words}"

    def _whole_in(self, file: Path) -> Iterator[LoggedRun]:
        if file.is_file():
            yield from logged_runs([file], Tally(), self.keeper.keys)

    def _erase_logged(self, run: LoggedRun, row: Archived) -> None:
        try:
            if not row.is_in(line.entry for line in run.lines):
                raise CorruptRunError(f"run {row.run_id} is not the one that was archived")
            draft = erase(run.steps(self.keeper.keys), self.keeper.keys, self.asked)
        except UnreadableRunError as error:
            self.done.left[run.run_id] = f"{row.place}: {error}"
            return
        raw = raw_lines(draft)
        self._note(draft, raw)
        if draft.staged:
            self.more.setdefault(row.place, []).append(raw[draft.live.seq])
            self.told.append(draft.lines[-1])
        newest = draft.lines[-1].entry
        if newest.digest != row.digest:
            self.after[run.run_id] = replace(row, seq=newest.seq, digest=newest.digest)

    async def rewrite_files(self) -> None:
        """Nothing; every archive, and every log, has of these runs only what is left."""
        archives = [Path(place) for place in await self.keeper.places()]
        for file in dict.fromkeys((*archives, *self.logs)):
            more = self.more.get(str(file), ())
            self._count(file, await asyncio.to_thread(rewrite, file, self.lines, more))
        for run_id, row in self.after.items():
            await self.keeper.store.rearchive(self.rows[run_id], row)
        self.keeper.telemetry.tell(self.told)

    async def erase_facts(self) -> None:
        """Nothing; what the customer is remembered by, and what these runs noted, is gone."""
        store, asked = self.keeper.store, self.asked
        if isinstance(store, Remembering):
            about = About(asked.customer)
            erasure = Erasure(ticks(asked.at), str(name_of(asked.by, about)), 0, asked.reason)
            runs = tuple(self.done.erased)
            self.done.facts = await store.erase_facts(asked.customer, runs, erasure)

    def _count(self, file: Path, found: Rewritten) -> None:
        if found.changed:
            self.done.files[str(file)] = found.changed
        self.done.doubtful += [f"{file}:{number}" for number in found.doubtful]
