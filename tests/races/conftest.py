"""Fixtures for the tests with real processes."""

from collections.abc import Iterator

import pytest

from tests.races.processes import Children, put_away_later


@pytest.fixture
def children() -> Iterator[Children]:
    """Processes that do not outlive their test."""
    with put_away_later() as started:
        yield started
