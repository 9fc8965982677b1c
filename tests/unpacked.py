"""What stands in a file, also in what a store has packed, wherever in the file that is."""

import zlib
from collections.abc import Iterator
from pathlib import Path

_BEGIN = b"h\x05"  # as the store's packer begins
_STEP = 64  # bytes


def bytes_in(file: Path) -> bytes:
    """The file's bytes, and behind them all that they unpack to."""
    data = file.read_bytes()
    return b"\n".join([data, *_streams(data)])


def _streams(data: bytes) -> Iterator[bytes]:
    place = data.find(_BEGIN)
    while place >= 0:
        yield _as_far_as_it_goes(data[place:])
        place = data.find(_BEGIN, place + 1)


def _as_far_as_it_goes(data: bytes) -> bytes:
    """What is unpacked before something else follows: a page of the file may end in between."""
    unpacker, found = zlib.decompressobj(), b""
    try:
        for place in range(0, len(data), _STEP):
            found += unpacker.decompress(data[place : place + _STEP])
            if unpacker.eof:
                break
    except zlib.error:
        return found
    return found
