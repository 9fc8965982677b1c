"""What the command says of a run whose next try is still to come."""

from datetime import timedelta

import pytest

from engine.cli.live import describe
from engine.cli.options import Settings
from engine.cli.render import print_run
from engine.core import events as ev
from tests.spec import NOON, STARTED, asks, given

SETTINGS = Settings(store="runs.db", log=None, app="app", json=False)
LATER = NOON + timedelta(minutes=9)


def said(capsys: pytest.CaptureFixture[str], *events: ev.Event) -> str:
    run = given(STARTED, *events).run
    assert run is not None
    print_run(run, SETTINGS)
    return capsys.readouterr().out


def test_it_is_said_why_and_until_when_the_model_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = ev.ModelFailed(error="429: slow down", attempt=1, retry_at=LATER)
    told = said(capsys, failed)
    assert "The model failed once with: 429: slow down\n" in told
    assert "  it is asked again at 2026-01-01 12:09:00 UTC\n" in told
    assert "failed 2 times, at last with" in said(
        capsys, failed, failed.model_copy(update={"attempt": 2})
    )


def test_it_is_said_which_call_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    started = ev.ToolStarted(
        call_id="call_1_1", tool="look", arguments={"order": "1"}, idempotency_key="k"
    )
    failed = ev.ToolNotExecuted(call_id="call_1_1", error="the shop is closed", retry_at=LATER)
    told = said(capsys, asks(("look", '{"order": "1"}')), started, failed)
    assert "call_1_1 (look) failed with: the shop is closed\n" in told
    assert "  it is tried again at 2026-01-01 12:09:00 UTC\n" in told


@pytest.mark.parametrize(
    ("again", "tells"),
    [
        ("2026-01-01T12:09:00Z", True),
        ("2026-01-01T13:09:00+01:00", True),
        ("2026-01-01T12:00:02Z", False),
        ("1767269340", False),
        ("9999-12-31T23:59:59-23:59", False),
        (None, False),
    ],
)
def test_a_line_of_a_failure_says_when_it_is_tried_again_if_that_takes_long(
    *, again: object, tells: bool
) -> None:
    line = describe(
        {
            "run_id": "r1",
            "seq": 2,
            "trigger": "model_failed",
            "source": "AwaitingModel",
            "dest": "AwaitingModel",
            "at": NOON.isoformat(),
            "data": {"error": "429", "retry_at": again},
        }
    )
    assert line.endswith("  429  (again at 12:09:00 UTC)" if tells else "  429")
