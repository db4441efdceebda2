"""
How one connection behaves: how much it sends, in which portions, when it stops reading, and how it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from random import Random

from attrs import frozen

LARGEST_PORTION = 1 << 16
"""Bytes given to one send or recv at the most."""

BUFFERS = (None, 4096, 1 << 16, 1 << 20)
"""Sizes of a socket's buffers that are drawn from; ``None`` leaves them to the system."""

BUFFERFULS = 16
"""How many times what such a buffer holds is sent at the most: through a small one, bytes only trickle."""


class Ending(Enum):
    """How a connection ends."""

    HALF_CLOSE = "half-close"
    """FIN after the last byte, then read until the end of the stream: all of it has to come back."""

    RESET = "reset"
    """RST at some point: what has not come back by then is nobody's promise."""


@frozen
class Schedule:
    """
    What one connection does; the same seed gives the same schedule.

    :ivar seed: that it was drawn with.
    :ivar size: how many bytes it sends, 0 or more.
    :ivar ending: how it ends.
    :ivar late_after: after how many bytes it reads no more, until its sending is stuck or done; ``None`` for never.
    :ivar buffers: size of its socket's buffers in bytes, or ``None``.
    """

    seed: int
    size: int
    ending: Ending
    late_after: int | None
    buffers: int | None

    def portions(self, direction: str) -> Iterator[int]:
        """
        Sizes of the portions to send or to receive, from 1 byte on, small and large ones alike; without end.

        :param direction: each has a sequence of its own.
        """
        random = Random(f"{self.seed} {direction}")  # noqa: S311 - to be repeated, not to be kept secret
        bits = LARGEST_PORTION.bit_length() - 1
        while True:
            yield random.randint(1, 1 << random.randint(0, bits))


def draw(seed: int, maximum: int) -> Schedule:
    """
    Draw a schedule.

    :param seed: any whole number.
    :param maximum: the most bytes that it may send, 0 or more.
    """
    random = Random(f"{seed} schedule")  # noqa: S311 - to be repeated, not to be kept secret
    size = random.choice((0, 1, random.randint(0, maximum), random.randint(0, maximum), maximum))
    buffers = random.choice(BUFFERS)
    return Schedule(
        seed=seed,
        size=min(size, maximum if buffers is None else min(maximum, BUFFERFULS * buffers)),
        ending=random.choices((Ending.HALF_CLOSE, Ending.RESET), (4, 1))[0],
        late_after=random.choice((None, None, 0, random.randint(0, maximum))),
        buffers=buffers,
    )
