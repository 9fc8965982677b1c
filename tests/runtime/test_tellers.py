"""One logger that fails keeps no line from another, and gets its own once it can."""

from pathlib import Path

import pytest

from engine import Engine, ScriptedModel, Workflow
from engine.codec.chain import PLAIN
from engine.errors import EngineError
from engine.runtime.draft import Draft
from engine.runtime.telemetry import Telemetry
from tests.runtime.test_engine import OK
from tests.spec import NOON, STARTED, asks


class Listener:
    """A logger that may fail, and keeps the seq of each line that it was told."""

    def __init__(self) -> None:
        self.seqs = list[object]()
        self.fails = False

    def info(self, event: str, **fields: object) -> None:
        if self.fails:
            raise OSError(f"no {event}s just now")
        self.seqs.append(fields["seq"])


def moved() -> Draft:
    draft = Draft()
    draft.record((STARTED, asks(("look", "{}"))), NOON)
    return draft


@pytest.mark.parametrize("turned", [False, True], ids=["first", "last"])
def test_a_logger_that_fails_is_owed_its_lines_and_no_other_is(*, turned: bool) -> None:
    good, bad = Listener(), Listener()
    telemetry = Telemetry([bad, good] if turned else [good, bad])
    draft, bad.fails = moved(), True
    telemetry.tell(draft.lines)
    assert (good.seqs, bad.seqs, len(draft.lines)) == ([1, 2], [], 2)
    bad.fails = False
    telemetry.tell(draft.lines)
    assert (good.seqs, bad.seqs, draft.lines) == ([1, 2], [1, 2], [])


def test_a_full_disk_keeps_no_line_from_who_watches(caplog: pytest.LogCaptureFixture) -> None:
    watcher, draft = Listener(), moved()
    telemetry = Telemetry(["/dev/full", watcher])
    telemetry.tell(draft.lines)
    telemetry.tell(draft.lines)
    assert (watcher.seqs, len(draft.lines)) == ([1, 2], 2)
    assert [one.message.partition(":")[0] for one in caplog.records] == [
        "the log cannot be written, its lines are owed"
    ]
    telemetry.close()


async def test_what_one_is_owed_after_a_run_is_told_to_it_alone(tmp_path: Path) -> None:
    good, bad = Listener(), Listener()
    shop = Workflow(name="shop", instructions="Help.", model=ScriptedModel([OK]))
    store = f"sqlite:///{tmp_path}/runs.db"
    async with Engine(store=store, workflows=[shop], log=[good, bad]) as engine:
        bad.fails = True
        run = await engine.start("shop", "Hello", "r1")
        bad.fails = False
        await engine.resume("r1")
    everything = [*range(1, run.seq + 1)]
    assert (good.seqs, bad.seqs) == (everything, everything)


def test_a_refusal_is_told_to_all_who_can_hear_it() -> None:
    from engine.core.commands import Approve
    from engine.core.secrecy import NOTHING_SECRET

    told = list[str]()

    class Heard:
        def info(self, event: str, **fields: object) -> None:
            told.append(f"{event} {fields['command']}")

    deaf = Listener()
    deaf.fails = True
    command = Approve(approval_id="r1.1", digest="d", by="ann")
    refused = (moved().live, command, EngineError("no"), NOON, NOTHING_SECRET)
    Telemetry([deaf, Heard()], PLAIN).refuse(*refused)
    assert told == ["refused approve"]
