"""What people may say to a run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from engine.core.commands import (
    Abort,
    AcceptChanges,
    Answer,
    Approve,
    Deny,
    Raise,
    Revoke,
    Seal,
    Send,
    VerdictCommand,
)
from engine.core.conditions import Conditions
from engine.core.run import Run
from engine.runtime.host import Host


class Deciding(ABC):
    """The part of an Engine by which people decide."""

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What takes commands to runs."""

    async def approve(  # noqa: PLR0913 # what there is to say about a verdict
        self,
        run_id: str,
        call_id: str | None = None,
        *,
        by: str,
        note: str | None = None,
        retry: bool = False,
        arguments: Mapping[str, JsonValue] | None = None,
        remember: Conditions | None = None,
        digest: str | None = None,
        approval_id: str | None = None,
    ) -> Run:
        """The run, after one call was allowed and the run driven on.

        `call_id` and `approval_id` may be left out while only one call waits. `digest` is
        that of the action which the person saw (its first 8 or more characters will do):
        if another one waits by now, RefusedError is raised and nothing is allowed.
        `arguments` run in the place of those asked for; the model is told. `remember`,
        such as `{"amount": {"le": 20}}`, has calls of this tool go unasked in this run
        while that holds of their arguments. A call in doubt needs `retry`, which runs it
        again, under the same idempotency key. The same verdict given twice is one.

        Where somebody else drives the run, it is they who go on with it. Raises
        NotAllowedError for who may not decide this, RefusedError where no call waits,
        AmbiguousCallError naming them where several do, UnknownCallError.
        """
        command = Approve(
            call_id=call_id,
            approval_id=approval_id,
            digest=digest,
            by=by,
            note=note,
            retry=retry,
            arguments=None if arguments is None else dict(arguments),
            remember=remember,
        )
        return await self._host.tell(run_id, command)

    async def deny(  # noqa: PLR0913 # what there is to say about a verdict
        self,
        run_id: str,
        call_id: str | None = None,
        *,
        by: str,
        reason: str | None = None,
        note: str | None = None,
        digest: str | None = None,
        approval_id: str | None = None,
    ) -> Run:
        """The run, after one call was refused, or given up where it was in doubt.

        The model reads `reason`; `note` is for the record. Raises as `approve`.
        """
        command = Deny(
            call_id=call_id,
            approval_id=approval_id,
            digest=digest,
            by=by,
            note=note,
            reason=reason,
        )
        return await self._host.tell(run_id, command)

    async def answer(  # noqa: PLR0913 # what there is to say about a verdict
        self,
        run_id: str,
        call_id: str | None = None,
        *,
        by: str,
        result: str,
        note: str | None = None,
        digest: str | None = None,
        approval_id: str | None = None,
    ) -> Run:
        """The run, after a person said what came of one call, and the run was driven on.

        The tool is not run; the model reads `result` as what it returned. The answer to a
        question must be what was asked for, else BadInputError. Raises as `approve`.
        """
        command = Answer(
            call_id=call_id,
            approval_id=approval_id,
            digest=digest,
            by=by,
            note=note,
            result=result,
        )
        return await self._host.tell(run_id, command)

    async def verdicts(self, run_id: str, *verdicts: VerdictCommand) -> Run:
        """The run, after several verdicts were taken, all or none; raises as `approve`."""
        return await self._host.tell(run_id, *verdicts)

    async def revoke(self, run_id: str, rule_id: str, *, by: str) -> Run:
        """The run, after a sticky rule was taken back; RefusedError where it has no such rule."""
        return await self._host.tell(run_id, Revoke(rule_id=rule_id, by=by))

    async def send(self, run_id: str, message: str, *, by: str | None = None) -> Run:
        """The run, driven on after the customer wrote again.

        In the midst of a turn the message is kept, and the model sees it at its next. A
        run that was Done goes on. Raises RefusedError where it was Aborted.
        """
        return await self._host.tell(run_id, Send(message=message, by=by))

    async def raise_limits(
        self, run_id: str, raises: Mapping[str, Decimal], *, by: str, note: str | None = None
    ) -> Run:
        """The run, driven on after a person added to limits, by name: `{"max_turns": Decimal(10)}`.

        It waits for that, or was aborted at a limit. Raises BadInputError for what is no
        limit, or adds nothing, RefusedError where it has come to another one, or to none,
        NotAllowedError for who may not decide.
        """
        return await self._host.tell(run_id, Raise(raises=raises, by=by, note=note))

    async def accept_changes(self, run_id: str, *, by: str) -> Run:
        """The run, driven on under today's code after a person accepted that it has changed.

        Raises RefusedError where no call waits for that.
        """
        return await self._host.tell(run_id, AcceptChanges(by=by))

    async def seal(self, run_id: str, *, by: str) -> bool:
        """Whether what was written without an audit key is under the newest one from now on.

        Somebody has looked at the run, and vouches for it. False where it was under one
        already. Raises BadInputError where the engine has no key.
        """
        return await self._host.seal(run_id, Seal(by=by))

    async def abort(self, run_id: str, *, by: str, reason: str | None = None) -> Run:
        """The run, Aborted; raises RefusedError where it has ended already."""
        return await self._host.tell(run_id, Abort(by=by, reason=reason))
