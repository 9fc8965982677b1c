"""Runs live through everything at once and keep every promise; planted faults are found."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.runtime.life_faults import PLANTS, Patch
from tests.runtime.life_machine import Life, LifeOnDisk, opened
from tests.runtime.life_witness import RARE

# Beginnings that lead to what is rare.
OPENINGS = (
    ("give", "twice"),
    ("pay", "edit"),
    ("pay", "remember"),
    ("pay", "revoke"),
    ("lend", "wait"),
    ("rent", "wait"),
)


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
    for opening in OPENINGS:
        live(opened(*opening), 3)
    live(Life, 50)
    for _ in range(8):  # what is rare comes to pass in most rounds, and must in one
        if Life.happened.keys() >= RARE:
            break
        live(Life, 20)
    assert Life.kills > before
    assert not RARE - Life.happened.keys()


def test_whatever_comes_together_a_run_on_disk_keeps_its_promises() -> None:
    before = LifeOnDisk.kills
    live(LifeOnDisk, 8)
    assert LifeOnDisk.kills > before


@pytest.mark.parametrize(("plant", "opening"), PLANTS)
def test_a_planted_fault_is_found(
    plant: Callable[[Patch], None],
    opening: tuple[str, str] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        live(opened(*opening) if opening else Life, 150, shrink=False)
