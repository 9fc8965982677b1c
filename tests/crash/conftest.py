"""Counts of what the fault tests injected, shown at the end."""

from collections.abc import Callable

import pytest

_COUNTED = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What a test calls to have a line shown at the end of the session."""
    return request.config.stash.setdefault(_COUNTED, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(_COUNTED, []):
        terminalreporter.write_line(line)
