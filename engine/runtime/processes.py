"""A call in a process of its own, which is killed with all that it began."""

import asyncio
import atexit
import json
import os
import socket
import subprocess
import sys
from threading import Lock

from pydantic import ValidationError

from engine.core.clean import clean_text
from engine.core.cutting import shortened
from engine.core.terms import home_of
from engine.core.tool import Tool
from engine.errors import DefinitionError, NotExecuted
from engine.runtime.attempt import Attempt
from engine.runtime.failing import Raised, RaisedElsewhere
from engine.runtime.frames import LENGTH, LONGEST, framed
from engine.runtime.isolated import Asked, Said, found
from engine.runtime.results import MOST_SAID, readable
from engine.runtime.stop import to_the_end

PATIENCE = 60.0  # seconds: to begin a process, and to see it dead

_BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from engine.runtime.forkserver import serve; serve(int(sys.argv[1]))"
)


async def in_own_process(attempt: Attempt) -> str:
    """What the model reads of the tool's value. Nothing that it began outlives the call.

    Raises TimeoutError where there is no answer in time, NotExecuted where no process
    could be begun, RaisedElsewhere for what the tool raised.
    """
    asked = _asked(attempt)
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            _SERVERS.hand_over(theirs)
        except OSError as error:
            ours.close()
            raise NotExecuted(f"no process could be begun: {error}") from error
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        writer.write(framed(asked))
        await _begun(reader)
        said = await asyncio.wait_for(_answer(reader), attempt.tool.timeout)
    except TimeoutError as error:
        words = f"no result within {attempt.tool.timeout or PATIENCE:g} s; its process was killed"
        raise TimeoutError(words) from error
    finally:
        await to_the_end(_over(reader, writer))
    return _text(said)


def require_importable(tool: Tool) -> None:
    """Nothing; DefinitionError where another process would find something else by its name."""
    home = home_of(tool.function)
    if tool.isolation == "thread" or home is None:
        return
    module, name = home
    there = found(sys.modules.get(module), name)
    function = there.function if isinstance(there, Tool) else there
    if function is not tool.function:
        raise DefinitionError(
            f'tool {tool.name}: isolation="process" needs its function where it says it is, '
            f"and {module}.{name} is something else"
        )
    if not hasattr(os, "fork"):
        raise DefinitionError(f'tool {tool.name}: isolation="process" needs a POSIX system')


def _asked(attempt: Attempt) -> bytes:
    tool, home = attempt.tool, home_of(attempt.tool.function)
    if home is None:
        raise NotExecuted(f"the function of {tool.name} cannot be found by another process")
    context = attempt.context()
    asked = Asked(
        tool=tool.name,
        module=home[0],
        name=home[1],
        typed=tool.is_typed,
        arguments=attempt.intent.arguments,
        run_id=context.run_id,
        call_id=context.call_id,
        attempt=context.attempt,
        idempotency_key=context.idempotency_key,
        path=tuple(_path()),
        folder=os.getcwd(),  # noqa: PTH109 # a text
        environment=dict(os.environ),
    )
    return asked.model_dump_json().encode()


def _path() -> list[str]:
    return [os.path.abspath(one) for one in sys.path]  # noqa: PTH100 # "" is where we are


async def _begun(reader: asyncio.StreamReader) -> None:
    begun = await asyncio.wait_for(reader.read(1), PATIENCE)
    if not begun:
        raise NotExecuted("no process could be begun")


async def _answer(reader: asyncio.StreamReader) -> Said:
    try:
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        if length > LONGEST:
            raise ChildProcessError("its process gave too long an answer")
        return Said.model_validate_json(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise EOFError("its process ended without an answer") from error
    except ValidationError as error:
        raise EOFError("its process gave an answer that is none") from error


def _text(said: Said) -> str:
    if said.text is not None:
        return readable(said.text)
    words = shortened(clean_text(said.words), MOST_SAID)
    raise RaisedElsewhere(Raised(words, frozenset(said.kinds), said.doubt))


async def _over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Nothing, once the call's process and what it began are dead, as far as we can wait."""
    try:
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while await reader.read(2**16):
                pass
    except (OSError, TimeoutError):
        pass  # who watches over it is gone, or cannot kill it: nor can we
    writer.close()


class _Server:
    """A fork server of this process; it ends when this process does."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._door, theirs = socket.socketpair()
        with theirs:
            given = (str(theirs.fileno()), json.dumps(_path()))
            self._process = subprocess.Popen(  # noqa: S603 # our own program
                (sys.executable, "-c", _BEGIN, *given),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # what the terminal sends is for the driver
            )

    def hand_over(self, wire: socket.socket) -> None:
        """Nothing; OSError where it is gone."""
        if self._process.poll() is not None:
            raise BrokenPipeError("the fork server has died")
        socket.send_fds(self._door, [b"+"], [wire.fileno()])

    def close(self) -> None:
        """Nothing; it ends."""
        self._door.close()
        if self.owner == os.getpid():
            self._process.wait()


class _Servers:
    """The fork server, begun when it is first needed, and anew where it has died."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._lock = Lock()

    def hand_over(self, wire: socket.socket) -> None:
        """Nothing; the wire is a supervisor's. OSError where none can be had."""
        with self._lock:
            if self._server is None or self._server.owner != os.getpid():
                self._server = _Server()
            try:
                self._server.hand_over(wire)
            except OSError:
                self._server.close()
                self._server = _Server()
                self._server.hand_over(wire)

    def close(self) -> None:
        """Nothing; there is none any more."""
        with self._lock:
            if self._server is not None:
                self._server.close()
            self._server = None


_SERVERS = _Servers()
atexit.register(_SERVERS.close)
