"""Vectors of texts: packed, and the nearest of them found one by one."""

import asyncio
from array import array
from collections.abc import Sequence
from heapq import nlargest
from math import isfinite, sqrt
from operator import mul

from engine.errors import BadInputError


def packed(vector: Sequence[float]) -> bytes:
    """The vector at length 1, as float32; empty for an empty one, or one of zeros.

    Raises BadInputError where it holds what is no finite number.
    """
    size = sqrt(sum(map(mul, vector, vector)))
    if not isfinite(size):
        raise BadInputError("the embedder gave a vector that is not finite")
    return array("f", (one / size for one in vector)).tobytes() if size else b""


async def nearest(
    vector: Sequence[float], among: Sequence[tuple[str, bytes]], most: int
) -> list[str]:
    """The ids of at most so many of the vectors, the one that points most like it first."""
    return await asyncio.to_thread(_nearest, packed(vector), among, most)


def _nearest(wanted: bytes, among: Sequence[tuple[str, bytes]], most: int) -> list[str]:
    aim = _unpacked(wanted)
    alike = ((sum(map(mul, aim, _unpacked(one))), name) for name, one in among if _fits(one, aim))
    return [name for _, name in nlargest(most, alike)]


def _fits(one: bytes, aim: "array[float]") -> bool:
    return len(one) == len(aim) * aim.itemsize > 0


def _unpacked(vector: bytes) -> "array[float]":
    numbers = array("f")
    numbers.frombytes(vector)
    return numbers
