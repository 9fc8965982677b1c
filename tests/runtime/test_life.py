"""Runs live through everything at once and keep every promise; planted faults are found."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from engine.core import judge
from engine.core.canonical import idempotency_key
from engine.core.demand import Demand
from engine.core.workflow import Workflow
from engine.ports import Lease
from engine.runtime.drive import Driver
from engine.stores.memory import MemoryStore
from tests.runtime.life_machine import Life, LifeOnDisk


def live(machine: type[Life], examples: int, *, shrink: bool = True) -> None:
    phases = tuple(Phase) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_comes_together_a_run_keeps_its_promises() -> None:
    before = Life.kills
    live(Life, 80)
    assert Life.kills > before


def test_whatever_comes_together_a_run_on_disk_keeps_its_promises() -> None:
    before = LifeOnDisk.kills
    live(LifeOnDisk, 10)
    assert LifeOnDisk.kills > before


Patch = pytest.MonkeyPatch


def _repeats_what_is_unsafe(patch: Patch) -> None:
    patch.setattr(judge._Case, "_why_not_again", lambda *_: None)  # noqa: SLF001 # the fault is planted


def _forgets_the_gate(patch: Patch) -> None:
    patch.setattr(Workflow, "demand", lambda *_: Demand(ask="never"))


def _makes_a_key_an_attempt(patch: Patch) -> None:
    keys = iter(range(10**9))
    patch.setattr(
        judge, "idempotency_key", lambda run, call: idempotency_key(run, f"{call} {next(keys)}")
    )


def _acts_before_it_is_durable(patch: Patch) -> None:
    async def commit(self: Driver, draft: Any) -> bool:
        return bool(self and draft)

    patch.setattr(Driver, "_commit", commit)


def _gives_no_lease_back(patch: Patch) -> None:
    async def release(self: MemoryStore, run_id: str, lease: Lease, *, moved: bool) -> None:
        assert self, (run_id, lease, moved)

    patch.setattr(MemoryStore, "release", release)


@pytest.mark.parametrize(
    "plant",
    [
        _repeats_what_is_unsafe,
        _forgets_the_gate,
        _makes_a_key_an_attempt,
        _acts_before_it_is_durable,
        _gives_no_lease_back,
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[Patch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        live(Life, 150, shrink=False)
