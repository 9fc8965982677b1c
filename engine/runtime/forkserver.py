"""The process from which those that run a call are forked: it has no thread and no connection."""

import os
import select
import signal
import socket

from engine.runtime.isolated import work
from engine.runtime.supervising import LOOK, supervise


def serve(control: int) -> None:
    """Nothing, once who began us is gone. Each message over the socket brings one call's wire."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a supervisor
    door, driver = socket.socket(fileno=control), os.getppid()
    while os.getppid() == driver:
        ready, _, _ = select.select([door], [], [], LOOK)
        if not ready:
            continue
        message, wires, _, _ = socket.recv_fds(door, 1, 1)
        if not message:
            return
        for wire in wires:
            _fork(door, socket.socket(fileno=wire))


def _fork(door: socket.socket, wire: socket.socket) -> None:
    """Nothing; where no process can be begun, the wire is closed, which says so."""
    try:
        supervisor = os.fork()
    except OSError:
        supervisor = -1
    if supervisor:
        wire.close()
        return
    door.close()
    try:
        supervise(wire, work)
    finally:
        os._exit(0)
