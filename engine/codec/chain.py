"""The digest chain over a journal, and the keys without which nobody can make it anew.

Without a key a digest is a SHA-256, which finds accidents. With one it is an
HMAC-SHA256 (RFC 2104): who can write the store or the log, but has no key, can change,
drop, move or add no event unnoticed.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.errors import BadInputError, UnverifiedRunError

GENESIS = bytes(32)
SHORTEST_SECRET = 16  # characters

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The secrets by their ids. What is new is chained under the one of id `newest`, if any."""

    newest: str = ""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def digest(self, key: str, content: bytes) -> bytes:
        """32 bytes over `content`, under the key of that id, or plain where that is "".

        Raises UnverifiedRunError where there is no such key.
        """
        if not key:
            return hashlib.sha256(content).digest()
        if key not in self.secrets:
            raise UnverifiedRunError(f"it is chained under the audit key {key!r}, which is missing")
        return hmac.digest(self.secrets[key], content, "sha256")


PLAIN = AuditKeys()


def read_keys(text: str) -> AuditKeys:
    """The keys in `text`: `ID:SECRET`, one a line, the first for what is new.

    Lines that begin with # say nothing. Raises BadInputError for anything else, and for
    a secret of fewer than 16 characters; the message holds no secret.
    """
    secrets: dict[str, bytes] = {}
    lines = (line.strip() for line in text.splitlines())
    for place, line in enumerate((line for line in lines if line and line[0] != "#"), 1):
        name, _, secret = line.partition(":")
        if not _ID.fullmatch(name) or len(secret) < SHORTEST_SECRET:
            raise BadInputError(
                f"audit key {place} is not ID:SECRET, with a secret of {SHORTEST_SECRET} "
                "or more characters"
            )
        if name in secrets:
            raise BadInputError(f"there are two audit keys of the id {name!r}")
        secrets[name] = secret.encode()
    if not secrets:
        raise BadInputError("there is no audit key in what was given as such")
    return AuditKeys(next(iter(secrets)), secrets)


class Place(NamedTuple):
    """Where an event stands: `at` in microseconds since 1970 UTC."""

    run_id: str
    seq: int
    at: int
    kind: str

    def binding(self, data: bytes) -> bytes:
        """What is digested of an event in that place."""
        return f"{self.run_id}\n{self.seq}\n{self.at}\n{self.kind}\n".encode() + data


def chain(
    previous: bytes, place: Place, data: bytes, keys: AuditKeys = PLAIN, key: str = ""
) -> bytes:
    """The digest (32 bytes) that binds an event to its run, its place, and all before it."""
    return keys.digest(key, previous + place.binding(data))


def cover(
    link: tuple[bytes, bytes], place: Place, data: bytes, keys: AuditKeys = PLAIN, key: str = ""
) -> bytes:
    """The digest (32 bytes) that binds `data` to an event whose own data it hides.

    `link` is the digest before the event, and its own. As the one cannot be made again from
    what is left, both are bound: else the event, and all that follows it, could be put
    behind another past.
    """
    previous, digest = link
    return keys.digest(key, b"cover\n" + previous + digest + place.binding(data))
