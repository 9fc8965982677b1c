"""The world outside: a shop with a database of its own, where every effect is written down."""

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw

from engine import ToolContext

_FILE = "shop.db"


class Effect(NamedTuple):
    """Something that a tool did, once; `pid` is the process that did it."""

    run_id: str
    call_id: str
    attempt: int
    pid: int


def open_shop() -> None:
    """Nothing; there is an empty shop in this folder now."""
    with closing(apsw.Connection(_FILE)) as shop:
        shop.pragma("journal_mode", "wal")
        shop.execute("CREATE TABLE effects (run_id, call_id, attempt, pid)")
        shop.execute("CREATE TABLE keys (key PRIMARY KEY)")


def buy(context: ToolContext) -> None:
    """Nothing; there is one effect more, for each time that this is called."""
    with closing(_connect()) as shop:
        shop.execute("INSERT INTO effects VALUES (?, ?, ?, ?)", _effect(context))


def buy_once(context: ToolContext) -> None:
    """As `buy`, but by an idempotency key that the shop remembers."""
    with closing(_connect()) as shop, shop:
        shop.execute("INSERT OR IGNORE INTO keys VALUES (?)", (context.idempotency_key,))
        if shop.changes():
            shop.execute("INSERT INTO effects VALUES (?, ?, ?, ?)", _effect(context))


def effects() -> list[Effect]:
    """All that happened, in order."""
    if not Path(_FILE).exists():
        raise AssertionError("there is no shop")
    with closing(_connect()) as shop:
        return [Effect(*row) for row in shop.execute("SELECT * FROM effects ORDER BY rowid")]


def twice(among: Iterable[Effect]) -> list[tuple[str, str]]:
    """The calls whose effect happened more than once."""
    counted = Counter((one.run_id, one.call_id) for one in among)
    return [call for call, times in counted.items() if times > 1]


def _connect() -> apsw.Connection:
    shop = apsw.Connection(_FILE)
    shop.set_busy_timeout(60_000)
    shop.pragma("synchronous", "off")  # no test here cuts the power
    return shop


def _effect(context: ToolContext) -> tuple[str, str, int, int]:
    return context.run_id, context.call_id, context.attempt, os.getpid()
