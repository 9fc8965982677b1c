"""Recorded runs as tests: `pytest --waystation-replays=DIR`, and the `replays` fixture.

It is loaded by every pytest beside which the engine is installed, so what it needs is
imported when it is used.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine.api.recordings import Recording
    from engine.core.workflow import Workflow
    from engine.logs.reading import Tally

_LOGS = (".jsonl", ".json", ".log", ".gz")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Nothing; takes the folder of logs, and the app that holds today's workflows."""
    group = parser.getgroup("waystation")
    group.addoption(
        "--waystation-replays", metavar="DIR", help="Rerun each run that the logs in DIR tell of."
    )
    group.addoption(
        "--waystation-app",
        metavar="MODULE:ATTRIBUTE",
        help="Today's workflows. [WAYSTATION_APP, or workflows:ALL]",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Nothing; the folder is collected beside whatever else is, unless part of it is named."""
    folder = _folder(config)
    if folder is None:
        return
    if not folder.is_dir():
        raise pytest.UsageError(f"--waystation-replays: there is no folder {folder}")
    named = (Path(one.partition("::")[0]).resolve() for one in config.args)
    if not any(one == folder or folder in one.parents for one in named):
        config.args.append(str(folder))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """What collects the runs of a log in the folder; None for any other file."""
    folder = _folder(parent.config)
    if folder is None or folder not in file_path.resolve().parents:
        return None
    return Log.from_parent(parent, path=file_path) if _is_log(file_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Nothing; an error where the folder has no run: such tests would pass for ever."""
    folder = _folder(config)
    if folder is not None and not any(isinstance(one, Rerun) for one in items):
        raise pytest.UsageError(f"--waystation-replays: no run is recorded in {folder}")


class Log(pytest.File):
    """One log, as a collector of its runs."""

    def collect(self) -> Iterator["Rerun"]:
        """A test for each run; one for what is damaged, if anything is."""
        from engine.cli.text import visible
        from engine.logs.reading import Tally

        tally = Tally()
        for recording in _recordings([self.path], tally):
            yield Rerun.from_parent(self, name=visible(recording.run_id), recording=recording)
        if tally.damaged:
            words = "; ".join(f"{bad.where}: {bad.words}" for bad in tally.damaged)
            yield Rerun.from_parent(self, name="damaged lines", recording=_damaged(words))

    def repr_failure(  # type: ignore[override] # as pytest's own nodes
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> str:
        """What is wrong with the log, in a line."""
        return str(excinfo.value)


class Rerun(pytest.Item):
    """One recorded run, held against today's code."""

    def __init__(self, *, recording: "Recording", **of_pytest: object) -> None:
        """Take the run; the rest is pytest's."""
        super().__init__(**of_pytest)  # type: ignore[arg-type]
        self._recording = recording

    def runtest(self) -> None:
        """Nothing; fails where today's code would do otherwise."""
        recording = self._recording
        if recording.fault is not None:
            raise _DiffersError(recording.fault)
        if differs := recording.rerun(_workflow(self.config, recording.workflow)):
            told = recording.told(differs)
            raise _DiffersError(f"{told.words}\n{told.diff or ''}".rstrip())

    def repr_failure(  # type: ignore[override] # as pytest's own nodes
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> object:
        """What differs, in words; a traceback only where the cause is none of ours."""
        from engine.cli.text import visible
        from engine.errors import EngineError

        if isinstance(excinfo.value, _DiffersError | EngineError):
            return f"run {self.name}: {visible(str(excinfo.value), keep=chr(10))}"
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands, and under which name."""
        return self.path, None, f"rerun of {self.name}"


class _DiffersError(Exception):
    """Today's code would do otherwise than what was recorded."""


@pytest.fixture(scope="session")
def replays(pytestconfig: pytest.Config) -> "Sequence[Recording]":
    """The recorded runs of the folder, each with `run_id`, `journal` and `rerun(workflow)`."""
    folder = _folder(pytestconfig)
    if folder is None:
        raise pytest.UsageError("say where the recorded runs are: --waystation-replays=DIR")
    files = sorted(one for one in folder.rglob("*") if _is_log(one))
    return tuple(_recordings(files))


def _is_log(file: Path) -> bool:
    """Whether it is named like a log, or like one that was rotated (`runs.jsonl.1`)."""
    return any(suffix.startswith(_LOGS) for suffix in file.suffixes)


def _folder(config: pytest.Config) -> Path | None:
    """The folder of logs; as other options it is meant from where pytest was called."""
    named: str | None = config.getoption("--waystation-replays")
    return (config.invocation_params.dir / named).resolve() if named else None


def _recordings(files: Sequence[Path], tally: "Tally | None" = None) -> "Iterator[Recording]":
    from engine.api.recordings import recordings
    from engine.api.wiring import keys_of

    file = os.environ.get("WAYSTATION_AUDIT_KEY_FILE")
    key = Path(file) if file else os.environ.get("WAYSTATION_AUDIT_KEY")
    return recordings(files, tally, keys_of(key))


def _damaged(words: str) -> "Recording":
    from engine.api.recordings import Recording

    return Recording("damaged lines", "", (), words)


def _workflow(config: pytest.Config, name: str) -> "Workflow":
    from engine.cli.app import load_workflows
    from engine.cli.options import DEFAULT_APP
    from engine.errors import UnknownWorkflowError

    app: str = (
        config.getoption("--waystation-app") or os.environ.get("WAYSTATION_APP") or DEFAULT_APP
    )
    workflows = {one.name: one for one in load_workflows(app)}
    if name not in workflows:
        known = ", ".join(sorted(workflows)) or "none"
        words = f"there is no workflow {name!r} in {app}; there are: {known}"
        raise UnknownWorkflowError(f"{words}; is another app meant (--waystation-app)?")
    return workflows[name]
