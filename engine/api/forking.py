"""Runs gone through again, and forked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import orjson
from pydantic import JsonValue

from engine.api.wiring import new_id
from engine.codec.chain import AuditKeys
from engine.core.commands import Fork
from engine.core.evolve import fold
from engine.core.run import Run
from engine.core.schema import ArgumentsError
from engine.errors import BadInputError
from engine.journal.walk import walk
from engine.ports import Clock, Entry
from engine.runtime.host import Host
from engine.runtime.load import unknown


class Forking(ABC):
    """The part of an Engine that gives out journals, and makes new runs of them."""

    _keys: AuditKeys
    _clock: Clock

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What has the store."""

    async def entries(self, run_id: str) -> Sequence[Entry]:
        """The run's journal as it is stored, oldest first, not verified yet; see `replay`."""
        entries = await self._host.store.entries(run_id)
        if not entries:
            raise await unknown(self._host.store, run_id)
        return entries

    async def fork(  # noqa: PLR0913 # what there is to say about a fork
        self,
        run_id: str,
        *,
        at: int,
        new_id: str | None = None,
        message: str | None = None,
        instructions: str | None = None,
        arguments: Mapping[str, Mapping[str, JsonValue]] | None = None,
        by: str | None = None,
        detach: bool = False,
    ) -> Run:
        """A new run that shares the past of another up to its event `at`, driven on from there.

        At most one thing is changed: the customer says `message`, the run goes by other
        `instructions`, or a call of the open turn is asked for with other `arguments`, given
        by its id. Nothing of the past is done again: a call that may have happened there is
        in doubt in the fork, approvals are asked for anew, sticky rules are gone. The old
        run is left as it is. With `detach` the fork is left to a worker.

        Raises BadInputError where there is no such event or call, RefusedError where there
        is no way on from there, RunExistsError where `new_id` is taken.
        """
        from engine.replaying.fork import forked

        wish = Fork(
            run_id=_given(new_id),
            at=at,
            message=message,
            instructions=instructions,
            arguments=_plain(arguments),
            by=by,
        )
        seq = (await self._host.load(run_id)).live.seq
        entries = (await self.entries(run_id))[:seq]
        journal = forked(walk(entries, run_id, self._keys), wish, self._clock.now())
        if run := fold(journal):
            self._require_taken(run, wish)
        return await self._host.adopt(journal, detach=detach)

    def _require_taken(self, run: Run, wish: Fork) -> None:
        """Nothing; BadInputError where the tool as it is today does not take the arguments."""
        for call_id, arguments in (wish.arguments or {}).items():
            tool = self._host.equipment.workflow(run.workflow).tool(run.call(call_id).tool)
            try:
                if tool is not None:
                    tool.validate(orjson.dumps(arguments).decode())
            except ArgumentsError as error:
                raise BadInputError(f"{tool and tool.name} ({call_id}): {error}") from error


def _given(name: str | None) -> str:
    return new_id() if name is None else name


def _plain(
    arguments: Mapping[str, Mapping[str, JsonValue]] | None,
) -> dict[str, dict[str, JsonValue]] | None:
    if not isinstance(arguments, Mapping):
        return arguments  # the command says what it wants
    return {
        name: dict(said) if isinstance(said, Mapping) else said for name, said in arguments.items()
    }
