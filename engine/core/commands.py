"""What people ask of a run."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.core.conditions import Conditions
from engine.core.messages import Arguments
from engine.core.shape import Shape
from engine.errors import BadInputError


class _Asked(Shape):
    """What a person asks; BadInputError for what is no such thing."""

    if not TYPE_CHECKING:  # there the fields say what each command takes

        def __init__(self, **said: object) -> None:
            """Take what is asked by name."""
            try:
                super().__init__(**said)
            except ValidationError as error:
                fault = error.errors(include_url=False, include_context=False, include_input=False)[
                    0
                ]
                where = ".".join(map(str, fault["loc"][:3]))
                raise BadInputError(f"{where}: {fault['msg']}") from None


class Start(_Asked):
    """Begin a run with a first message; `by` is whose run it is, `customer` whom it is about."""

    run_id: str
    message: str
    by: str | None = None
    customer: str | None = None


class _OfAnApproval(_Asked):
    """Which approval is meant: by its id or its call's, while only one is open by neither.

    `digest` is that of the action which the person saw, in hex, or its first 8 or more
    characters: where another one waits by now, nothing is decided.
    """

    approval_id: str | None = None
    call_id: str | None = None
    digest: str | None = None
    by: str
    note: str | None = None


class Approve(_OfAnApproval):
    """Allow one call.

    `retry` says that a call in doubt is to be run again. `arguments` are run in the
    place of the model's. `remember` has calls of this tool go unasked in this run while
    it holds of their arguments.
    """

    retry: bool = False
    arguments: Arguments | None = None
    remember: Conditions | None = None


class Deny(_OfAnApproval):
    """Refuse one call; the model reads the reason."""

    reason: str | None = None


class Answer(_OfAnApproval):
    """Say what came of one call; the model reads `result`, and the tool is not run."""

    result: str


class Revoke(_Asked):
    """Take a sticky rule back."""

    rule_id: str
    by: str


class Send(_Asked):
    """Give the run another message of the customer's."""

    message: str
    by: str | None = None


class Raise(_Asked):
    """Add to the bounds of a run that has come to one of them, by name: so much more of each."""

    raises: Mapping[str, Decimal]
    by: str
    note: str | None = None


class AcceptChanges(_Asked):
    """Let the calls that were asked for under other code go on under today's."""

    by: str


class Abort(_Asked):
    """Give the run up."""

    by: str
    reason: str | None = None


class Seal(_Asked):
    """Accept what was written without an audit key, and go on under one."""

    by: str


class Fork(_Asked):
    """Copy a run up to its event `at` into a new one, `run_id`, and change at most one thing.

    `message` is the customer's next, `instructions` stand in the place of those that it
    began with, `arguments` are what a call of the open turn, by its id, is asked to run with.
    """

    run_id: str
    at: int
    message: str | None = None
    instructions: str | None = None
    arguments: Mapping[str, Arguments] | None = None
    by: str | None = None


VerdictCommand = Approve | Deny | Answer
Command = Start | VerdictCommand | Revoke | Send | Raise | AcceptChanges | Abort | Seal
