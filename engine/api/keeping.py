"""Keeping ended runs elsewhere, and forgetting what was said in them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.approvers import named
from engine.core.clean import clean_text
from engine.errors import BadInputError
from engine.keeping.keeper import Keeper
from engine.runtime.acting import require_person

if TYPE_CHECKING:
    from engine.keeping.archive import Archiving
    from engine.keeping.forget import Forgetting


class Keeping(ABC):
    """The part of an Engine that looks after runs which have ended."""

    @property
    @abstractmethod
    def _keeper(self) -> Keeper:
        """What it takes."""

    @property
    @abstractmethod
    def _logs(self) -> tuple[Path, ...]:
        """The log files that the engine writes."""

    async def archive(self, *, ended_before: float, to: str | Path) -> "Archiving":
        """What became of the runs that ended, and were left alone, for so many seconds.

        They are in one new packed log in the folder `to`, and only there; the store keeps a
        line of each. Nothing is removed before the file is durable and was read back whole.
        Runs that cannot be read are left where they are, and named. Raises BadInputError for
        a time below 0, EngineError where the file cannot be written.
        """
        from engine.keeping.archive import archive

        require_person("archive runs")
        try:
            before = self._keeper.clock.now() - timedelta(seconds=ended_before)
        except (OverflowError, ValueError) as error:
            raise BadInputError(f"{ended_before} seconds ago was before all time") from error
        if ended_before < 0:
            raise BadInputError(
                f"{ended_before} seconds ago is still to come; say a time before now"
            )
        return await archive(self._keeper, before, Path(to))

    async def forget(
        self,
        *runs: str,
        customer: str | None = None,
        logs: Iterable[str | Path] = (),
        by: str,
        reason: str | None = None,
    ) -> "Forgetting":
        """What became of erasing what was said in these runs, and in those about `customer`.

        What is remembered of the customer, and what these runs noted, is removed, and a row
        says that it was. Everything that people, models and tools wrote is replaced, in the store,
        in every archive, in the engine's own log files and in `logs`; the chain of digests still
        verifies, and the erasure itself is an event, with `by` and `reason`. Only runs that
        have ended are erased; the others are left and named. Done twice, it changes nothing
        more; broken off, it is finished by doing it again. Raises BadInputError where nothing
        is named, or a log is not there.
        """
        from engine.keeping.erase import Asked
        from engine.keeping.forget import forget

        require_person("erase runs")
        if not runs and not customer:
            raise BadInputError("say which runs, or which customer, are to be forgotten")
        more = [Path(one) for one in logs]
        if missing := _missing(more):
            raise BadInputError(f"the log {missing[0]} is not there")
        for text in (by, reason, customer):
            if text is not None and clean_text(text) != text:
                raise BadInputError("what was given holds bytes that are no text")
        asked = Asked(named(by), reason, customer, self._keeper.clock.now())
        return await forget(self._keeper, runs, asked, (*self._logs, *more))


def _missing(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if not file.is_file()]
