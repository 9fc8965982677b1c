"""Opening a SQLite file: what it is, which schema it has, and how it is to be written."""

from pathlib import Path

import apsw

from engine.errors import NotAStoreError, StoreError, StoreTooNewError

APPLICATION_ID = 0x57415953  # "WAYS": tells our files from other programs' databases
BUSY_MS = 10_000
_PAGE = 2048  # bytes: a commit writes whole pages, and most events are far smaller


def connect(path: Path, migrations: tuple[str, ...]) -> apsw.Connection:
    """A connection to the store at `path`, created or brought up to the newest schema.

    Raises NotAStoreError for another kind of file, StoreTooNewError for a newer
    program's (both leave it untouched), StoreError where it cannot be opened.
    """
    try:
        if path.exists() and path.stat().st_size:
            inspect(path, len(migrations))
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = apsw.Connection(str(path))
    except (apsw.Error, OSError) as error:
        raise StoreError(f"the store {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, migrations)
    except apsw.Error as error:
        connection.close()
        raise StoreError(f"the store {path} cannot be used: {error}") from error
    return connection


def inspect(path: Path, newest: int) -> None:
    """Refuse a file that is not ours, looking at it read-only.

    What a crash left half done is rolled back first, as every program that reads the file would.
    """
    try:
        try:
            owner, version, tables = _looked_at(path, apsw.SQLITE_OPEN_READONLY)
        except apsw.ReadOnlyError as error:
            if getattr(error, "extendedresult", None) != apsw.SQLITE_READONLY_ROLLBACK:
                raise
            owner, version, tables = _looked_at(path, apsw.SQLITE_OPEN_READWRITE)
    except apsw.NotADBError as error:
        raise NotAStoreError(f"{path} is not a SQLite database, so no Waystation store") from error
    except apsw.Error as error:
        raise StoreError(f"the store {path} cannot be read: {error}") from error
    if owner != APPLICATION_ID and (tables or version or owner):
        raise NotAStoreError(f"{path} is another program's database, not a Waystation store")
    if owner == APPLICATION_ID and version < 1:
        raise NotAStoreError(f"{path} says it is a Waystation store, but of no version")
    if version > newest:
        raise StoreTooNewError(
            f"{path} has schema version {version}, this Waystation knows up to {newest}; "
            "it was left untouched: use the newer Waystation"
        )


def _looked_at(path: Path, flags: int) -> tuple[int, int, int]:
    """Whose file it is, its version, and how many tables it has."""
    connection = apsw.Connection(str(path), flags=flags)
    try:
        connection.set_busy_timeout(BUSY_MS)
        owner, version = connection.pragma("application_id"), connection.pragma("user_version")
        return owner, version, connection.execute("SELECT count(*) FROM sqlite_master").get
    finally:
        connection.close()


def _prepare(connection: apsw.Connection, migrations: tuple[str, ...]) -> None:
    connection.set_busy_timeout(BUSY_MS)
    if not connection.pragma("user_version"):
        connection.pragma("page_size", _PAGE)
        connection.pragma("auto_vacuum", 2)  # of a new file: what is freed can be given back
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")  # NORMAL loses committed intents at a power cut
    connection.pragma("foreign_keys", True)
    connection.pragma("secure_delete", True)  # what is replaced leaves no trace in the file
    if connection.pragma("user_version") == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[connection.pragma("user_version") :]:
            connection.execute(migration)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", len(migrations))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
