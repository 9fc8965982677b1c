"""Whether an exception leaves it open that the other side acted."""

import asyncio
import socket
from collections.abc import Iterator

_BROKEN_OFF = (TimeoutError, ConnectionError, EOFError, asyncio.CancelledError)
_NEVER_REACHED = (ConnectionRefusedError, socket.gaierror)
# Common clients' own names for a time-out or a reset, where they derive from neither:
# httpx, requests, urllib3, aiohttp, botocore.
_BROKEN_OFF_NAMES = frozenset(
    {
        "ChunkedEncodingError",
        "ClientPayloadError",
        "ConnectionError",
        "HTTPClientError",
        "NetworkError",
        "ProtocolError",
        "RemoteProtocolError",
        "ServerDisconnectedError",
        "IncompleteRead",
        "SMTPServerDisconnected",
        "SSLEOFError",
        "Timeout",
        "TimeoutExpired",
        "TimeoutError",
        "TimeoutException",
    }
)


def leaves_doubt(error: BaseException) -> bool:
    """Whether it, or what brought it about, is a time-out, a reset, or a kill.

    An exception that was raised `from None` stands for itself alone.
    """
    chain = list(_chain(error))
    if any(isinstance(one, _BROKEN_OFF) and not isinstance(one, _NEVER_REACHED) for one in chain):
        return True  # though another try, in the same call, never reached the other side
    if any(isinstance(one, _NEVER_REACHED) for one in chain):
        return False
    return any(_broke_off(one) for one in chain)


def _broke_off(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, _BROKEN_OFF) or bool(names & _BROKEN_OFF_NAMES)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _chain(one)
        earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if earlier is None:
            return
        error = earlier
