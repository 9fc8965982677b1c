"""Under the workflow that they were recorded with, runs never diverge."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from engine import Approve, Engine, Run, Workflow, events
from engine.codec.events import decode_event, from_ticks
from engine.core.accept import accept
from engine.core.decide import decide
from engine.core.effects import CallTools, Notify, Record
from engine.core.evolve import fold
from engine.replaying.rerun import rerun
from tests.core.walking import SHOP, Walk
from tests.replay.test_golden import JOURNALS, VERSIONS, golden_engine
from tests.runtime.life_machine import Life, LifeOnDisk, opened
from tests.runtime.life_shop import make_workflow
from tests.spec import NOON, STARTED, asks

# These went on under a workflow whose tool `pay` had another schema: no one code has made them.
CHANGED = {"changed", "accepted"}


async def journals_of(engine: Engine) -> dict[str, tuple[events.Recorded, ...]]:
    return {run.id: await engine.journal(run.id) for run in await engine.runs()}


@pytest.mark.parametrize("version", VERSIONS)
async def test_golden_runs_of_every_version_rerun_as_they_were(version: str) -> None:
    shutil.copy(JOURNALS / version / "runs.db", Path.cwd())
    engine = golden_engine()
    workflows: dict[str, Workflow] = engine._workflows  # noqa: SLF001 # those it was given
    async with engine:
        found = {
            run_id: rerun(journal, workflows[getattr(journal[0].event, "workflow", "")])
            for run_id, journal in (await journals_of(engine)).items()
            if run_id != "forgotten"  # nothing is left of it to rerun
        }
    assert len(found) > 5
    diverging = {run_id: one.words for run_id, one in found.items() if one}
    assert diverging.keys() == found.keys() & CHANGED
    for words in diverging.values():
        assert "pay had another schema" in words or "its tool had changed" in words


def test_random_walks_rerun_as_they_were() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=60)
    @given(st.data())
    def walk(data: st.DataObject) -> None:
        walked = Walk(data)
        while len(walked.journal) < 70 and walked.step():
            pass
        differs = rerun(walked.journal, SHOP)
        assert differs is None, differs
        seen.update(one.event.kind for one in walked.journal)

    walk()
    assert len(seen) > 15


def test_who_was_told_while_a_person_decided_reruns() -> None:
    journal: list[events.Recorded] = []

    def add(*happened: events.Event) -> Run:
        for event in happened:
            journal.append(events.Recorded(seq=len(journal) + 1, at=NOON, event=event))
        run = fold(journal)
        assert run is not None
        return run

    small, large = '{"order": "1", "amount": 7}', '{"order": "1", "amount": 60}'
    begun = {"definition": SHOP.definition, "tools": SHOP.schemas}
    run = add(STARTED.model_copy(update=begun), asks(("pay", small), ("pay", large)))
    effect = decide(run, SHOP, NOON)
    assert isinstance(effect, Record)
    run = add(*effect.events)
    telling = decide(run, SHOP, NOON)
    assert isinstance(telling, Notify)
    first, second = (
        events.ApprovalNotified(approval_id=one, call_id=run.approval(one).call_id, notifier=name)
        for one, name in telling.untold
    )
    run = add(first, *accept(run, SHOP, Approve(call_id="call_1_1", by="ann")))
    assert isinstance(decide(run, SHOP, NOON), CallTools)  # and nobody is told any more
    add(second)
    assert rerun(journal, SHOP) is None


class Rerunning:
    """Lives whose runs are all rerun at the end, under the code that they had throughout."""

    reruns = 0
    events = 0

    @classmethod
    def of(cls, life: type[Life]) -> type[Life]:
        """Such lives: no process is started with other code."""

        def teardown(self: Any) -> None:
            workflow = make_workflow(self.shop, self.versions)
            life.teardown(self)
            for witness in self.witnesses.values():
                journal = [
                    events.Recorded(
                        seq=one.seq, at=from_ticks(one.at), event=decode_event(one.kind, one.data)
                    )
                    for one in witness.entries
                ]
                differs = rerun(journal, workflow)
                assert differs is None, differs
                cls.reruns += 1
                cls.events += len(journal)

        return type("Rerunning", (life,), {"teardown": teardown, "change": None})


@pytest.mark.parametrize(
    ("life", "examples"),
    [(opened("rent", "wait"), 4), (opened("pay", "remember"), 4), (Life, 16), (LifeOnDisk, 2)],
)
def test_whatever_a_live_engine_went_through_reruns_as_it_was(
    life: type[Life], examples: int
) -> None:
    before = Rerunning.events
    run_state_machine_as_test(
        Rerunning.of(life),
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Rerunning.events > before + 20
