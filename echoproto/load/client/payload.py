"""
The payload of a stream: bytes known by their position.

The stream never repeats, because a repeated block would hide a shift by its length. It is the output of SHAKE128
(FIPS 202) in counter mode, so that any part can be made without the parts before it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from typing_extensions import override

BLOCK_BYTES = 1 << 16
"""Bytes per block of SHAKE128 output."""

POOL_BYTES = 4_194_301
"""Bytes that a `QuickPayload` repeats between marks; a prime, so that it is no multiple of a buffer size."""

MARK_BYTES = 64
"""Unique bytes at the start of each page of a `QuickPayload`."""

PAGE_BYTES = 1 << 14
"""Bytes per page."""


class Payload:
    """
    An endless stream of bytes, given by two numbers.

    :param seed: seed of the run, 0 to 2**64 - 1.
    :param stream: number of the stream, 0 to 2**64 - 1; two streams are unrelated.
    """

    def __init__(self, seed: int, stream: int = 0) -> None:
        self._key = seed.to_bytes(8) + stream.to_bytes(8)
        self._index = -1
        self._block = b""

    def read(self, start: int, length: int) -> bytes:
        """
        Return a part of the stream.

        :param start: position of its first byte, 0 or more.
        :param length: bytes, 0 or more.
        """
        index, offset = divmod(start, BLOCK_BYTES)
        part = self._at(index)[offset : offset + length]
        if len(part) == length:
            return part
        parts = [part]
        missing = length - len(part)
        while missing > 0:
            index += 1
            parts.append(self._at(index)[:missing])
            missing -= BLOCK_BYTES
        return b"".join(parts)

    def _at(self, index: int) -> bytes:
        if index != self._index:
            self._block = hashlib.shake_128(self._key + index.to_bytes(8)).digest(BLOCK_BYTES)
            self._index = index
        return self._block


class QuickPayload(Payload):
    """
    A payload at several GB/s, for loads that must not wait for SHAKE128.

    Most bytes come from a pool that all streams of a run share, each from its own starting point. Every page begins
    with unique bytes made as in `Payload`. They reveal a shift by the pool's length and a mix-up of streams.
    """

    def __init__(self, seed: int, stream: int = 0) -> None:
        super().__init__(seed, stream)
        self._pool = _pool(seed)
        self._start = int.from_bytes(hashlib.shake_128(b"start" + self._key).digest(8)) % POOL_BYTES

    @override
    def read(self, start: int, length: int) -> bytes:
        end = start + length
        parts = []
        while start < end:
            index, offset = divmod(start, PAGE_BYTES)
            if offset < MARK_BYTES:
                mark = hashlib.shake_128(self._key + index.to_bytes(8)).digest(MARK_BYTES)
                part = mark[offset : offset + end - start]
            else:
                at = (self._start + start) % POOL_BYTES
                part = self._pool[at : at + min(PAGE_BYTES - offset, end - start)]
            parts.append(part)
            start += len(part)
        return b"".join(parts)


@lru_cache(1)
def _pool(seed: int) -> bytes:
    pool = hashlib.shake_128(b"pool" + seed.to_bytes(8)).digest(POOL_BYTES)
    return pool + pool[:PAGE_BYTES]
