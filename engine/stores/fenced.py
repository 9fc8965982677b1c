"""The store's own transaction, as far as a tool may use it."""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import apsw

if TYPE_CHECKING:
    from engine.core.context import SqlValue

_INDEX = {f"memory_words{part}" for part in ("", "_data", "_idx", "_docsize", "_config")}
_MEMORY = {"memory_facts", "memory_erasures", *_INDEX}  # though they may not be there yet
_OURS = frozenset({"runs", "events", "heads", "archived", *_MEMORY})
_WRITING = frozenset(
    {
        apsw.SQLITE_INSERT,
        apsw.SQLITE_UPDATE,
        apsw.SQLITE_DELETE,
        apsw.SQLITE_DROP_TABLE,
        apsw.SQLITE_DROP_VIEW,
        apsw.SQLITE_DROP_INDEX,
        apsw.SQLITE_ALTER_TABLE,
        apsw.SQLITE_CREATE_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_INDEX,
    }
)
_MAKING = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_VIEW,
        apsw.SQLITE_CREATE_TABLE,
        apsw.SQLITE_CREATE_VIEW,
        apsw.SQLITE_CREATE_VTABLE,
        apsw.SQLITE_ALTER_TABLE,
    }
)
_NEVER = frozenset(
    {
        apsw.SQLITE_TRANSACTION,
        apsw.SQLITE_SAVEPOINT,
        apsw.SQLITE_ATTACH,
        apsw.SQLITE_DETACH,
        apsw.SQLITE_PRAGMA,
    }
)


class FencedTransaction:
    """Statements in an open transaction; what is not the tool's business is refused.

    Use it as a context; after it nothing can be executed any more.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        """Take the connection, which is in a transaction."""
        self._connection, self._open = connection, False

    def __enter__(self) -> Self:
        """The transaction, fenced."""
        self._connection.authorizer = _allowed
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the fence down."""
        self._open = False
        self._connection.authorizer = None

    def execute(
        self, sql: str, bindings: "Sequence[SqlValue]" = ()
    ) -> "Sequence[tuple[SqlValue, ...]]":
        """See Transaction."""
        if not self._open:
            raise ValueError("the call is over, and its transaction with it")
        try:
            rows = list(self._connection.execute(sql, tuple(bindings)))
            if self._connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
                raise ValueError("a foreign key leads nowhere; not even for a while, here")
            return rows  # the commit would fail, and not as this tool's failure
        finally:
            if not self._connection.in_transaction:  # OR ROLLBACK, or a trigger's RAISE(ROLLBACK)
                self._open = False


def _allowed(
    action: int, first: str | None, second: str | None, database: str | None, *_: str | None
) -> int:
    named = {name.lower() for name in (first, second) if name}
    refused = action in _NEVER or (action in _WRITING and named & _OURS)
    # It would hide ours, or stand in its place.
    refused = refused or (action in _MAKING and (database == "temp" or bool(named & _OURS)))
    return apsw.SQLITE_DENY if refused else apsw.SQLITE_OK
