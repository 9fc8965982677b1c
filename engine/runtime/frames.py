"""One message over a socket or a pipe between our own processes: its length, then JSON."""

import os
import socket
import struct

LENGTH = struct.Struct(">I")
LONGEST = 64 * 2**20  # bytes


def framed(data: bytes) -> bytes:
    """The message as it goes over the wire."""
    return LENGTH.pack(len(data)) + data


def whole(received: bytes | bytearray) -> bytes | None:
    """The message, if all of it has come."""
    if len(received) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(received)
    message = bytes(received[LENGTH.size : LENGTH.size + length])
    return message if len(message) == length else None


def receive(wire: socket.socket) -> bytes | None:
    """The next message; None where the other side is gone before its end."""
    received = bytearray()
    while (message := whole(received)) is None:
        chunk = wire.recv(2**16)
        if not chunk:
            return None
        received += chunk
    return message


def write(pipe: int, data: bytes) -> None:
    """Nothing, once all of it is written."""
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]
