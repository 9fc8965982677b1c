"""What the doctor finds, and what to do about it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from engine.codec.events import from_ticks, ticks
from engine.ports import Checkable, Head, Health, Store
from engine.runtime.clock import SystemClock
from engine.runtime.owner import Owner
from engine.runtime.worker import MOST_TRIES

_SOUND_SQLITE = (3, 51, 3)  # older ones can corrupt a WAL that two connections reset
_LITTLE_ROOM = 64 * 2**20
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `to_do` is empty where it is well."""

    name: str
    found: str
    to_do: str = ""


async def figures(store: Store) -> dict[str, object]:
    """The same for machines: sizes in bytes, times in microseconds since 1970 UTC."""
    if not isinstance(store, Checkable):
        return {"where": "memory"}
    leases = [
        {
            "run_id": head.run_id,
            **asdict(head.lease),
            "dead": owner is None or owner.is_dead,
        }
        for head in await store.leased()
        for owner in [Owner.read(head.lease.owner)]
    ]
    return {**asdict(await store.health(ticks(SystemClock().now()))), "leases": leases}


async def examine(store: Store) -> list[Finding]:
    """What there is to say of a store, its leases and its log, in words."""
    if not isinstance(store, Checkable):
        return [Finding("store", "in memory: it ends with its process")]
    health = await store.health(ticks(SystemClock().now()))
    return [
        Finding("store", f"{health.where}, {health.size} bytes, schema version {health.schema}"),
        _sqlite(health),
        _mode("journal mode", health.journal_mode, "wal"),
        _mode("sync mode", health.sync_mode, "full"),
        _room(health),
        *_leases(await store.leased()),
        _counted("owed to the log", health.owed, "`waystation worker --once` writes their lines"),
        _counted("ready", health.ready, "`waystation worker` drives those of its --app"),
        _counted("waiting", health.waiting, "`waystation approvals` lists what people are asked"),
        _tried(health),
        Finding("runs", "not read", "`waystation verify` reads each, and names the damaged ones"),
    ]


def _sqlite(health: Health) -> Finding:
    sound = tuple(map(int, health.sqlite.split(".")[:3])) >= _SOUND_SQLITE
    return Finding("SQLite", health.sqlite, "" if sound else "install a newer apsw")


def _mode(name: str, mode: str, wanted: str) -> Finding:
    words = f"a power cut may lose what was stored; it should be {wanted}: is the file writable?"
    return Finding(name, mode, "" if mode == wanted else words)


def _room(health: Health) -> Finding:
    few = "make room: a run stops where it is when the disk is full, and goes on later"
    return Finding(
        "free space", f"{health.free // _MIB} MiB", few if health.free < _LITTLE_ROOM else ""
    )


def _counted(name: str, count: int, what: str) -> Finding:
    return Finding(name, f"{count} {'run' if count == 1 else 'runs'}", what if count else "")


def _tried(health: Health) -> Finding:
    most = health.most_tries
    aside = "no worker takes it up any more; `waystation list`, `verify`, then `resume` it by name"
    return Finding("tried in vain", f"{most} times at most", aside if most >= MOST_TRIES else "")


def _leases(leased: Sequence[Head]) -> list[Finding]:
    return [_lease(head) for head in leased] or [Finding("leases", "none")]


def _lease(head: Head) -> Finding:
    owner = Owner.read(head.lease.owner)
    if owner is None or owner.is_dead:
        who = owner.in_words() if owner else "nobody known"
        return Finding(
            "lease",
            f"run {head.run_id}: left by {who}, which has ended",
            f"`waystation worker` or `waystation resume {head.run_id}` takes it over at once",
        )
    until = f"{from_ticks(head.lease.expires):%Y-%m-%d %H:%M:%S} UTC"
    return Finding("lease", f"run {head.run_id}: {owner.in_words()}, until {until} unless renewed")
