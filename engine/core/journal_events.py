"""Facts about a journal itself: copied, rebuilt, erased, sealed."""

from typing import Literal

from engine.core.shape import Shape


class RunForked(Shape):
    """The run was copied from another, up to its event `at_seq`, whose digest (hex) is given."""

    kind: Literal["run_forked"] = "run_forked"
    run_id: str
    at_seq: int
    digest: str
    by: str | None = None


class ArgumentsLost(Shape):
    """The run was rebuilt from a log that lacks arguments of these calls, which are open."""

    kind: Literal["arguments_lost"] = "arguments_lost"
    calls: tuple[str, ...]


class DataErased(Shape):
    """What people and models wrote was erased from the events up to here, as was asked for."""

    kind: Literal["data_erased"] = "data_erased"
    by: str
    reason: str | None = None


class ChainSealed(Shape):
    """A person looked at the run, and accepted what was written without an audit key."""

    kind: Literal["chain_sealed"] = "chain_sealed"
    by: str


JournalEvent = RunForked | ArgumentsLost | DataErased | ChainSealed
