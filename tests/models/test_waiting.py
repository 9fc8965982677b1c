"""For how long an endpoint asks to be left alone: in seconds, or until a date."""

import pytest

from engine import State
from engine.models.waiting import seconds_to_wait
from tests.clock import Jumping
from tests.models.server import failure, serving
from tests.models.test_openai import ANSWER, drive

NOON = "Thu, 01 Jan 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 14:01:00 +0200", 60),
        ("Thu, 01 Jan 2026 12:00:30", 30),
        ("Thu, 01 Jan 2026 11:59:50 GMT", -10),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30),
        ("soon", None),
        ("", None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_it_is_said_in_seconds_or_as_a_date_by_the_clock_of_who_says_it(
    said: str, seconds: float | None
) -> None:
    assert seconds_to_wait({"retry-after": said, "date": NOON}) == seconds


@pytest.mark.parametrize("date", [{}, {"date": "whenever"}])
def test_where_the_endpoint_does_not_tell_the_time_it_is_ours(date: dict[str, str]) -> None:
    left = seconds_to_wait({"retry-after": "Wed, 01 Jan 2300 12:00:00 GMT", **date})
    assert left is not None
    assert left > 3600
    assert seconds_to_wait(date) is None


async def test_a_date_is_waited_for_over_the_wire() -> None:
    clock = Jumping()
    with serving(failure(429, retry_after="Wed, 01 Jan 2300 12:00:00 GMT"), ANSWER) as server:
        run, _ = await drive(server, clock=clock)
    assert run.state is State.Done
    assert clock.slept[0] == pytest.approx(3600, abs=0.01), "an hour at most"
