"""The store at an address, and the rows in it: all that a list needs, and nothing heavier."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.core.clean import clean_text
from engine.core.states import State
from engine.errors import BadInputError, BadStoreUrlError, StoreError
from engine.ports import Head, Store

MEMORY = "memory://"
_MOST = 1_000_000


def open_store(url: str) -> Store:
    """The store at `url`: `sqlite:///relative.db`, `sqlite:////absolute.db` or `memory://`.

    Raises BadStoreUrlError for anything else, StoreError where it cannot be opened.
    """
    if url == MEMORY:
        from engine.stores.memory import MemoryStore

        return MemoryStore()
    from engine.stores.sqlite import SqliteStore

    return SqliteStore(sqlite_path(url))


def backup(url: str, file: Path) -> int:
    """The size in bytes of `file`, now a copy of the store at `url`, which may be in use.

    Raises BadInputError where `file` is there already or `url` names no file, StoreError
    where there is no such store or it cannot be copied.
    """
    if url == MEMORY:
        raise BadInputError("a store in memory cannot be backed up")
    from engine.stores.backup import back_up
    from engine.stores.sqlite import MIGRATIONS

    source = sqlite_path(url)
    if not source.exists():
        raise StoreError(f"there is no store at {source} to back up")
    return back_up(source, file, MIGRATIONS)


def check_address(url: str, log: Iterable[object] = ()) -> None:
    """Nothing; BadStoreUrlError for no store's address, BadInputError where it is the log's too."""
    if url == MEMORY:
        return
    store = sqlite_path(url).resolve()
    ours = {store.with_name(store.name + end) for end in ("", "-wal", "-shm", "-journal")}
    for target in log:
        if isinstance(target, str | Path) and Path(target).resolve() in ours:
            raise BadInputError(f"the log {target} is the store itself; name another file")


def sqlite_path(url: str) -> Path:
    """The file that a sqlite URL names; BadStoreUrlError where it names none."""
    prefix, path = url[:10], url[10:]
    if prefix != "sqlite:///" or path.startswith(":") or not Path(path).name or "\0" in path:
        raise BadStoreUrlError(
            f"{url!r} is no store; right would be sqlite:///relative/path.db, "
            "sqlite:////absolute/path.db or memory://"
        )
    return Path(path)


async def heads(
    store: Store,
    *,
    state: State | str | None = None,
    workflow: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Sequence[Head]:
    """At most `limit` runs' rows, the newest run first.

    `after` is the last run of the page before. Raises BadInputError for an
    unknown state or run, or a limit below 1.
    """
    _require_page(workflow, limit, after)
    return await store.heads(state=_state(state), workflow=workflow, limit=limit, after=after)


async def waiting(
    store: Store, *, workflow: str | None = None, limit: int = 100, after: str | None = None
) -> Sequence[Head]:
    """At most `limit` rows of runs in AwaitingApproval, the oldest run first; raises as `heads`."""
    _require_page(workflow, limit, after)
    return await store.waiting(workflow=workflow, limit=limit, after=after)


def _require_page(workflow: str | None, limit: int, after: str | None) -> None:
    if not 1 <= limit <= _MOST:
        raise BadInputError(f"limit must be at least 1 and at most {_MOST}, not {limit}")
    for name, value in (("workflow", workflow), ("after", after)):
        if value is not None and clean_text(value) != value:
            raise BadInputError(f"{name} holds bytes that are no text")


def _state(state: State | str | None) -> State | None:
    try:
        return None if state is None else State(state)
    except ValueError as error:
        raise BadInputError(f"{state!r} is no state; there are: {', '.join(State)}") from error
