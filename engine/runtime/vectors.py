"""Vectors of texts: packed, and the nearest of them found one by one."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from heapq import nsmallest
from itertools import chain
from math import dist, isfinite, sqrt
from operator import mul

from engine.errors import BadInputError

_Named = tuple[str, bytes]
_Place = tuple[float, str]  # how far away, and which


def packed(vector: Sequence[float]) -> bytes:
    """The vector at length 1, as float32; empty for an empty one, or one of zeros.

    Raises BadInputError where it holds what is no finite number.
    """
    try:
        size = sqrt(sum(map(mul, vector, vector)))
        if isfinite(size):
            return array("f", (one / size for one in vector)).tobytes() if size else b""
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadInputError("the embedder gave a vector that is not of finite numbers")


async def nearest(
    vector: Sequence[float], pages: AsyncIterator[Sequence[_Named]], most: int
) -> list[str]:
    """The ids of at most so many of the vectors, the one that points most like it first.

    One page of them is in memory at a time.
    """
    aim, best = packed(vector), list[_Place]()
    async for page in pages:
        best = await asyncio.to_thread(_nearest, aim, page, best, most)
    return [name for _, name in best]


def _nearest(
    wanted: bytes, page: Sequence[_Named], best: Sequence[_Place], most: int
) -> list[_Place]:
    # Of vectors of length 1 the nearest is the one that points most alike.
    aim = _unpacked(wanted)
    found = ((dist(aim, _unpacked(one)), name) for name, one in page if len(one) == len(wanted) > 0)
    return nsmallest(most, chain(best, found))


def _unpacked(vector: bytes) -> tuple[float, ...]:
    numbers = array("f")
    numbers.frombytes(vector)
    return tuple(numbers)
