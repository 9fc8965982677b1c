"""A door that takes secret words: its tool, its engines, and what is kept and told of them."""

import sqlite3
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from engine import Tool, tool
from engine.stores.packing import unpack
from tests.runtime.desk import LOG

CANARY = "kanarie-7d1f20c4"
OTHER = "kanarie-5b9e33aa"


class Account(BaseModel):
    """What a tool takes, with a secret within."""

    user: str
    pin: SecretStr
    old: list[SecretBytes] = []


class Gate:
    """Keeps what its tool was given, and then does as it is told."""

    def __init__(self, result: str = "let in", error: str | None = None) -> None:
        self.given: list[tuple[str, Any]] = []
        self.result, self.error = result, error
        self.notes: list[str] = []

    def tool(self, **more: Any) -> Tool:
        @tool(**more)
        def enter(word: SecretStr, account: Account | None = None, note: str = "") -> str:
            """Enter."""
            assert isinstance(word, SecretStr)
            self.given.append((word.get_secret_value(), account))
            self.notes.append(note)
            if self.error is not None:
                raise LookupError(self.error)
            return self.result

        return enter


ENTER = ("enter", {"word": CANARY, "account": {"user": "ann", "pin": OTHER, "old": [OTHER]}})


def logged() -> str:
    return Path(LOG).read_text(encoding="utf-8")


def stored() -> str:
    """All that is in the store, as one text."""
    database = sqlite3.connect("runs.db")
    try:
        rows = database.execute("SELECT data FROM events").fetchall()
        rows += database.execute("SELECT checkpoint FROM runs").fetchall()
    finally:
        database.close()
    return "\n".join(unpack(bytes(row[0])).decode() for row in rows)
