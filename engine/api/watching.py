"""Runs as they move, for somebody who reads along."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from engine.api.wiring import new_id
from engine.core.run import Run
from engine.runtime.host import Host
from engine.runtime.watching import Updates


class Watching(ABC):
    """The part of an Engine by which what is done is watched."""

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What drives runs."""

    @abstractmethod
    async def start(
        self,
        workflow: str,
        message: str,
        run_id: str | None = None,
        *,
        by: str | None = None,
        customer: str | None = None,
    ) -> Run:
        """See Engine."""

    def stream(
        self,
        workflow: str,
        message: str,
        run_id: str | None = None,
        *,
        by: str | None = None,
        customer: str | None = None,
    ) -> Updates:
        """What happens to a new run, as it happens: `async for update in engine.stream(...)`.

        The run is begun at once, and driven as by `start`, whose errors are raised at the
        end of the updates. To be called in the event loop. See Updates.
        """
        host, name = self._host, new_id() if run_id is None else run_id
        return Updates(host, name, self.start(workflow, message, name, by=by, customer=customer))

    def watch(self, run_id: str, doing: Awaitable[Run]) -> Updates:
        """What happens to a run while something is done with it, as it happens.

        `doing` is what any other method gives: `engine.watch(run_id, engine.resume(run_id))`,
        and likewise `send`, `approve`, `verdicts` and so on. It is begun at once, goes on
        whoever reads, and its errors are raised at the end of the updates.
        """
        return Updates(self._host, run_id, doing)
