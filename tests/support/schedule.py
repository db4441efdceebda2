"""
How one connection behaves: how much it sends, in which portions, when it stops reading, how it ends, and what happens
to it on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, Flag
from random import Random

from attrs import frozen

LARGEST_PORTION = 1 << 16
"""Bytes given to one send or recv at the most."""

BUFFERS = (None, 4096, 1 << 16, 1 << 20)
"""Sizes of a socket's buffers that are drawn from; ``None`` leaves them to the system."""

BUFFERFULS = 16
"""How many times what such a buffer holds is sent at the most: through a small one, bytes only trickle."""

PIECES = 2000
"""Pieces of the middle size that a stream is cut into at the most: each costs a turn of the proxy."""

LEAST_RATE = 1 << 14
"""Bytes per second at the least: so many are as little as a TLS connection costs without any data, and some."""

HOLDS = (0.05, 0.2, 0.6)
"""Seconds drawn from for what is held up: around a delayed ACK (40 ms), a retransmission (200 ms), and beyond both."""


class Ending(Enum):
    """How a connection ends."""

    HALF_CLOSE = "half-close"
    """FIN after the last byte, then read until the end of the stream: all of it has to come back."""

    RESET = "reset"
    """RST at some point: what has not come back by then is nobody's promise."""


class FaultKind(Enum):
    """What can happen to a connection on its way."""

    NONE = "none"

    SLICE = "slice"
    """It is passed on in pieces of 1 to ``piece`` bytes."""

    STALL = "stall"
    """After ``at`` bytes nothing is passed on for ``seconds``."""

    BANDWIDTH = "bandwidth"
    """At most ``rate`` bytes a second are passed on."""

    SLOW_CLOSE = "slow close"
    """The FIN is held back for ``seconds``."""

    RESET = "reset"
    """After ``at`` bytes, both sides get an RST: what has not come back by then is nobody's promise."""


FAULTS = (FaultKind.NONE,) * len(FaultKind) + tuple(FaultKind)[1:]
"""What is drawn from when everything may happen: half of the connections have nothing happen to them."""


class Way(Flag):
    """A direction of a connection."""

    UP = 1
    """From the client to the server."""

    DOWN = 2
    """From the server to the client."""

    BOTH = 3


@frozen
class Fault:
    """
    What happens to one connection on its way.

    :ivar ways: the directions that it happens in; what ``at`` counts is the first of them to reach it.
    :ivar at: bytes passed on in one direction, 0 or more.
    :ivar seconds: 0 or more; infinite for what never goes on.
    :ivar piece: bytes, 1 or more.
    :ivar rate: bytes per second, 1 or more.
    """

    kind: FaultKind = FaultKind.NONE
    ways: Way = Way.BOTH
    at: int = 0
    seconds: float = 0.0
    piece: int = 1
    rate: int = 1


@frozen
class Schedule:
    """
    What one connection does; the same seed gives the same schedule.

    :ivar seed: that it was drawn with.
    :ivar size: how many bytes it sends, 0 or more.
    :ivar ending: how it ends.
    :ivar late_after: after how many bytes it reads no more, until its sending is stuck or done; ``None`` for never.
    :ivar buffers: size of its socket's buffers in bytes, or ``None``.
    :ivar fault: what happens to it on its way.
    """

    seed: int
    size: int
    ending: Ending = Ending.HALF_CLOSE
    late_after: int | None = None
    buffers: int | None = None
    fault: Fault = Fault()

    @property
    def is_reset(self) -> bool:
        """Whether an RST ends it, so that nobody promises all of it back."""
        return self.ending is Ending.RESET or self.fault.kind is FaultKind.RESET

    def portions(self, direction: str) -> Iterator[int]:
        """
        Sizes of the portions to send or to receive, from 1 byte on, small and large ones alike; without end.

        :param direction: each has a sequence of its own.
        """
        random = _random(self.seed, direction)
        bits = LARGEST_PORTION.bit_length() - 1
        while True:
            yield random.randint(1, 1 << random.randint(0, bits))


def draw(seed: int, maximum: int, faults: Sequence[FaultKind] = (FaultKind.NONE,)) -> Schedule:
    """
    Draw a schedule.

    :param seed: any whole number.
    :param maximum: the most bytes that it may send, 0 or more.
    :param faults: of which one is drawn.
    """
    random = _random(seed, "schedule")
    size = random.choice((0, 1, random.randint(0, maximum), random.randint(0, maximum), maximum))
    buffers = random.choice(BUFFERS)
    size = min(size, maximum if buffers is None else min(maximum, BUFFERFULS * buffers))
    return Schedule(
        seed=seed,
        size=size,
        ending=random.choices((Ending.HALF_CLOSE, Ending.RESET), (4, 1))[0],
        late_after=random.choice((None, None, 0, random.randint(0, maximum))),
        buffers=buffers,
        fault=_draw_fault(seed, size, faults),
    )


def draw_stop(seed: int, total: int) -> int:
    """
    Draw when the service is told to stop in the middle of a run.

    :param total: bytes that the run would send over all of its connections.
    :return: after how many of them; at most half, which faults can't keep it from reaching.
    """
    return _random(seed, "stop").randint(0, total // 2)


def _draw_fault(seed: int, size: int, faults: Sequence[FaultKind]) -> Fault:
    """Draw what happens to a connection that sends so many bytes; it takes about a second at the most."""
    random = _random(seed, "fault")
    return Fault(
        kind=random.choice(faults),
        ways=random.choice((Way.UP, Way.DOWN, Way.BOTH)),
        at=random.choice((0, random.randint(0, size), size)),
        seconds=random.choice(HOLDS),
        piece=max(1 << random.randint(0, 12), 2 * size // PIECES),
        rate=max(LEAST_RATE, size) << random.randint(0, 3),
    )


def _random(seed: int, purpose: str) -> Random:
    return Random(f"{seed} {purpose}")
