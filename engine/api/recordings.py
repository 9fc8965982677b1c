"""Runs as logs have them, to be held against today's code."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.codec.chain import PLAIN, AuditKeys
from engine.core.events import Recorded
from engine.core.secrecy import Secrecy
from engine.core.workflow import Workflow
from engine.errors import CorruptRunError, EngineError
from engine.logs.reading import Tally
from engine.logs.runs import logged_runs
from engine.replaying.divergence import Divergence
from engine.replaying.rerun import rerun


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded run. `workflow` is its name; `fault` is why the record cannot be used."""

    run_id: str
    workflow: str
    journal: tuple[Recorded, ...]
    fault: str | None = None

    def rerun(self, workflow: Workflow) -> Divergence | None:
        """Where today's workflow first does otherwise; None where nowhere.

        Raises CorruptRunError where the record is not whole, BadInputError where it is one of
        another workflow.
        """
        if self.fault is not None:
            raise CorruptRunError(self.fault)
        return rerun(self.journal, workflow)

    def told(self, differs: Divergence) -> Divergence:
        """The same without the secrets of the run, for whatever leaves the program."""
        return Secrecy.over(self.journal).told(differs)

    def told_text(self, text: str) -> str:
        """As `told`, of what was said about the run."""
        return Secrecy.over(self.journal).text(text)


def recordings(
    files: Iterable[Path], tally: Tally | None = None, keys: AuditKeys = PLAIN
) -> Iterator[Recording]:
    """Every run that these logs tell of, by when they begin; damaged ones with their fault.

    `tally` is filled in with what was read. Raises BadInputError where a file cannot be opened.
    """
    for run in logged_runs(files, tally or Tally(), keys):
        name = run.lines[0].workflow if run.lines else ""
        try:
            yield Recording(run.run_id, name, run.journal(keys))
        except EngineError as error:
            yield Recording(run.run_id, name, (), str(error))
