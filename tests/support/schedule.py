"""
Schedules of connections: their size, their portions, their pause in reading, their end, and their fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, Flag
from random import Random

from attrs import frozen

LARGEST_PORTION = 1 << 16
"""Maximum bytes per send or recv."""

BUFFERS = (None, 4096, 1 << 16, 1 << 20)
"""Choice of sizes for a socket's buffers; ``None`` for the system's default."""

MAX_BUFFERFULS = 16
"""Maximum size of a stream as a multiple of its buffers: through small buffers, bytes only trickle."""

MAX_PIECES = 2000
"""Maximum number of pieces of a stream, at their mean size; each takes a turn of the proxy."""

MIN_RATE = 1 << 14
"""Minimum bandwidth in bytes per second, a little above the cost of a TLS connection without data."""

HOLD_SECONDS = (0.05, 0.2, 0.6)
"""Choice of delays in seconds: near a delayed ACK (40 ms), near a retransmission (200 ms), and beyond both."""


class Ending(Enum):
    """End of a connection."""

    HALF_CLOSE = "half-close"
    """FIN after the last byte, then read until the end of the stream: all data must come back."""

    RESET = "reset"
    """RST at some point: data still on its way may be lost."""


class FaultKind(Enum):
    """Kind of a fault."""

    NONE = "none"

    SLICE = "slice"
    """The proxy forwards pieces of 1 to ``piece`` bytes."""

    STALL = "stall"
    """After ``at`` bytes, the proxy forwards nothing for ``seconds``."""

    BANDWIDTH = "bandwidth"
    """The proxy forwards at most ``rate`` bytes per second."""

    SLOW_CLOSE = "slow close"
    """The proxy delays the FIN by ``seconds``."""

    RESET = "reset"
    """After ``at`` bytes, both sides receive an RST: data still on its way may be lost."""


FAULTS = (FaultKind.NONE,) * len(FaultKind) + tuple(FaultKind)[1:]
"""Choice of all kinds, with no fault for half of the connections."""


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
    A fault of one connection on its way.

    :ivar ways: directions of the fault; the first one to reach ``at`` starts it.
    :ivar at: forwarded bytes in one direction, 0 or more.
    :ivar seconds: duration, 0 or more; may be infinite.
    :ivar piece: maximum bytes of a piece, 1 or more.
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
    Schedule of one connection; the same seed gives the same schedule.

    :ivar seed: seed of the schedule.
    :ivar size: number of bytes to send, 0 or more.
    :ivar ending: end of the connection.
    :ivar late_after: received bytes after which reading stops until sending is stuck or done; ``None`` for never.
    :ivar buffers: size of its socket's buffers in bytes, or ``None``.
    :ivar fault: its fault.
    """

    seed: int
    size: int
    ending: Ending = Ending.HALF_CLOSE
    late_after: int | None = None
    buffers: int | None = None
    fault: Fault = Fault()

    @property
    def is_reset(self) -> bool:
        """True if an RST ends it, so that data may be lost."""
        return self.ending is Ending.RESET or self.fault.kind is FaultKind.RESET

    def portions(self, direction: str) -> Iterator[int]:
        """
        Yield sizes of the portions to send or to receive, small and large ones alike, without end.

        :param direction: name of the direction; each has its own sequence.
        """
        random = _random(self.seed, direction)
        bits = LARGEST_PORTION.bit_length() - 1
        while True:
            yield random.randint(1, 1 << random.randint(0, bits))


def draw(seed: int, maximum: int, faults: Sequence[FaultKind] = (FaultKind.NONE,)) -> Schedule:
    """
    Draw a schedule.

    :param seed: any whole number.
    :param maximum: maximum bytes to send, 0 or more.
    :param faults: choice of fault kinds.
    """
    random = _random(seed, "schedule")
    size = random.choice((0, 1, random.randint(0, maximum), random.randint(0, maximum), maximum))
    buffers = random.choice(BUFFERS)
    size = min(size, maximum if buffers is None else min(maximum, MAX_BUFFERFULS * buffers))
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
    Draw the time of a stop in the middle of a run.

    :param total: bytes of the whole run over all connections.
    :return: sent bytes after which to stop; at most half, which the run reaches despite faults.
    """
    return _random(seed, "stop").randint(0, total // 2)


def _draw_fault(seed: int, size: int, faults: Sequence[FaultKind]) -> Fault:
    """Draw the fault of a connection with a number of bytes to send; it takes about a second at most."""
    random = _random(seed, "fault")
    return Fault(
        kind=random.choice(faults),
        ways=random.choice((Way.UP, Way.DOWN, Way.BOTH)),
        at=random.choice((0, random.randint(0, size), size)),
        seconds=random.choice(HOLD_SECONDS),
        piece=max(1 << random.randint(0, 12), 2 * size // MAX_PIECES),
        rate=max(MIN_RATE, size) << random.randint(0, 3),
    )


def _random(seed: int, purpose: str) -> Random:
    return Random(f"{seed} {purpose}")
