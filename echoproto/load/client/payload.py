"""
Bytes that are known by their position: what a client sends, and expects back.

A repeated block would hide a shift by its length; so the stream never repeats. It is the output of SHAKE128 (FIPS 202)
in counter mode, so that any part of it can be made without what comes before.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from typing_extensions import override

BLOCK = 1 << 16
"""Bytes that are made at once."""

POOL = 4_194_301
"""Bytes that a `QuickPayload` goes through in circles: a prime, so that they are in step with nobody's buffer."""

MARK = 64
"""Bytes at the start of each `PAGE` of a `QuickPayload` that come nowhere else."""

PAGE = 1 << 14
"""Bytes."""


class Payload:
    """
    An endless stream of bytes, given by two numbers.

    :param seed: of the run, 0 to 2**64 - 1.
    :param stream: which of the run's streams, 0 to 2**64 - 1; those of two connections have nothing in common.
    """

    def __init__(self, seed: int, stream: int = 0) -> None:
        self._key = seed.to_bytes(8) + stream.to_bytes(8)
        self._index = -1
        self._block = b""

    def read(self, start: int, length: int) -> bytes:
        """
        A part of the stream.

        :param start: position of its first byte, 0 or more.
        :param length: in bytes, 0 or more.
        """
        index, offset = divmod(start, BLOCK)
        part = self._at(index)[offset : offset + length]
        if len(part) == length:
            return part
        parts = [part]
        missing = length - len(part)
        while missing > 0:
            index += 1
            parts.append(self._at(index)[:missing])
            missing -= BLOCK
        return b"".join(parts)

    def _at(self, index: int) -> bytes:
        if index != self._index:
            self._block = hashlib.shake_128(self._key + index.to_bytes(8)).digest(BLOCK)
            self._index = index
        return self._block


class QuickPayload(Payload):
    """
    The same at several GB/s, where the making of the bytes must not be the limit.

    Most bytes are of a pool that all streams of a run go through from different places on. So that neither a whole
    round nor a mixing of streams can hide, every page begins with bytes of its own, which are as those of `Payload`.
    """

    def __init__(self, seed: int, stream: int = 0) -> None:
        super().__init__(seed, stream)
        self._pool = _pool(seed)
        self._start = int.from_bytes(hashlib.shake_128(b"start" + self._key).digest(8)) % POOL

    @override
    def read(self, start: int, length: int) -> bytes:
        end = start + length
        parts = []
        while start < end:
            index, offset = divmod(start, PAGE)
            if offset < MARK:
                mark = hashlib.shake_128(self._key + index.to_bytes(8)).digest(MARK)
                part = mark[offset : offset + end - start]
            else:
                at = (self._start + start) % POOL
                part = self._pool[at : at + min(PAGE - offset, end - start)]
            parts.append(part)
            start += len(part)
        return b"".join(parts)


@lru_cache(1)
def _pool(seed: int) -> bytes:
    pool = hashlib.shake_128(b"pool" + seed.to_bytes(8)).digest(POOL)
    return pool + pool[:PAGE]
