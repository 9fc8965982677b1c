"""Runs live through everything at once and keep every promise; planted faults are found."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.runtime.life_faults import PLANTS, Patch
from tests.runtime.life_machine import Life, LifeOnDisk
from tests.runtime.life_witness import RARE


def live(machine: type[Life], examples: int, *, shrink: bool = True) -> None:
    phases = tuple(Phase) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,  # how long a life takes is no promise
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_comes_together_a_run_keeps_its_promises() -> None:
    before = Life.kills
    Life.happened.clear()
    live(Life, 60)
    for _ in range(8):  # what is rare comes to pass in most rounds, and must in one
        if Life.happened.keys() >= RARE:
            break
        live(Life, 20)
    assert Life.kills > before
    assert Life.happened.keys() >= RARE


def test_whatever_comes_together_a_run_on_disk_keeps_its_promises() -> None:
    before = LifeOnDisk.kills
    live(LifeOnDisk, 8)
    assert LifeOnDisk.kills > before


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(
    plant: Callable[[Patch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        live(Life, 150, shrink=False)
