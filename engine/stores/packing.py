"""Long data in fewer bytes: as a SQLite store writes an event's, and reads it again."""

import zlib

_LEAST = 256  # bytes: what is shorter stays readable in any SQLite shell
_MOST = 100  # times: nothing is packed into less than that part, so nothing unpacks to more
_WINDOW, _MEMORY = 14, 7  # 16 KB: with zlib's own 32 KB, 1 KB of data takes twice as long
_MARK = b"h"  # how zlib begins with such a window; an event's JSON begins with a brace


def pack(data: bytes) -> bytes:
    """What stands for an event's data on disk: deflated (zlib, RFC 1950) where that is shorter.

    What would take less than a hundredth so stays as it is, too; see `unpack`.
    """
    if len(data) < _LEAST:
        return data
    packer = zlib.compressobj(zlib.Z_BEST_SPEED, wbits=_WINDOW, memLevel=_MEMORY)
    packed = packer.compress(data) + packer.flush()
    return packed if len(packed) < len(data) <= len(packed) * _MOST else data


def unpack(stored: bytes) -> bytes:
    """The data again. What is damaged is left as it stands: its digest will tell.

    So is what would be more than a hundred times as long: nothing that `pack` gave is.
    """
    if not stored.startswith(_MARK):
        return stored
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(stored, len(stored) * _MOST + 1)  # one more: so its end is read
    except zlib.error:
        return stored
    return data if unpacker.eof and not unpacker.unused_data else stored
