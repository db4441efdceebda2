"""
The outcome of a load; the parts of several processes add up to the whole.
"""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from echoproto.load.histogram import Histogram

FIRST = 10
"""Number of findings that are kept in words."""


@define
class Second:
    """
    One second of a run.

    :ivar echoes: messages that came back in it.
    :ivar errors: connections that failed in it.
    :ivar times: service times of those messages.
    """

    echoes: int = 0
    errors: int = 0
    times: Histogram = field(factory=Histogram)

    def add(self, other: Second) -> None:
        """Add what another process has seen in the same second."""
        self.echoes += other.echoes
        self.errors += other.errors
        self.times.add(other.times)


@define
class Outcome:
    """
    The outcome of a load.

    Bytes, over all messages, of warm-up, too: ``sent`` is ``acked``, ``lost`` and ``unknown``.

    :ivar sent: bytes that were sent.
    :ivar acked: bytes that came back as they were sent, in order.
    :ivar lost: bytes that should have come back, and did not: the stream ended in order, or time was up.
    :ivar unknown: bytes that did not come back, and need not have: the connection was reset, or the run interrupted.
    :ivar messages: messages that came back whole, measured ones only.
    :ivar warmup_messages: the same before measuring began.
    :ivar connected: connections that were made, idle ones included.
    :ivar findings: how often each kind of harm was found (`echoproto.load.client.verdict.Kind` values; over UDP: lost,
        duplicated, reordered, truncated, corrupt).
    :ivar first_findings: the first few of them in words, each with its connection and offset.
    :ivar errors: connections that failed, by why, such as ``ECONNRESET``, ``no progress``, ``greeting``, ``TLS``,
        ``certificate``.
    :ivar reasons: more on these errors, where it is known, such as ``TLS: certificate required``.
    :ivar own_limits: what the generator itself ran out of, by name, such as ``descriptors`` or ``ports``.
    :ivar service_time: from the real send to the last byte back.
    :ivar response_time: from the intended send to the last byte back; empty where no rate is set.
    :ivar connect_time: from the start of connect to its end (over TLS: without the handshake).
    :ivar first_byte_time: from the start of connect to the first byte of the peer.
    :ivar lag: how late the generator itself came to messages, against the schedule; that they had to wait for a place
        in the window is not in it. Empty where no rate is set.
    :ivar seconds: by the number of the second since measuring began.
    :ivar elapsed: seconds that were measured: to the planned end, or to when the last message came back after that.
    :ivar cpu: seconds of processor time that the generator has used while measuring.
    :ivar server_cpu: the same of the server, if its process is known.
    :ivar server_memory: bytes that the server's processes held at the end of the measuring, while all were connected.
    :ivar server_switches: its context switches while measuring, in which it waited, and in which it had to; ``None``
        if not known, also since processes of it have ended, which take theirs with them.
    :ivar unsent: messages of the schedule that were not sent in time, where a rate is set.
    :ivar interrupted: whether it was ended before its time.
    """

    sent: int = 0
    acked: int = 0
    lost: int = 0
    unknown: int = 0
    messages: int = 0
    warmup_messages: int = 0
    connected: int = 0
    findings: Counter[str] = field(factory=Counter)
    first_findings: list[str] = field(factory=list)
    errors: Counter[str] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    own_limits: Counter[str] = field(factory=Counter)
    service_time: Histogram = field(factory=Histogram)
    response_time: Histogram = field(factory=Histogram)
    connect_time: Histogram = field(factory=Histogram)
    first_byte_time: Histogram = field(factory=Histogram)
    lag: Histogram = field(factory=Histogram)
    seconds: dict[int, Second] = field(factory=dict)
    elapsed: float = 0.0
    cpu: float = 0.0
    server_cpu: float | None = None
    server_memory: int | None = None
    server_switches: tuple[int, int] | None = None
    unsent: int = 0
    interrupted: bool = False

    def add(self, other: Outcome) -> None:
        """Add what another process has found out in the same time."""
        for name in ("sent", "acked", "lost", "unknown", "messages", "warmup_messages", "connected", "unsent", "cpu"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("findings", "errors", "reasons", "own_limits"):
            getattr(self, name).update(getattr(other, name))
        for name in ("service_time", "response_time", "connect_time", "first_byte_time", "lag"):
            getattr(self, name).add(getattr(other, name))
        for number, second in other.seconds.items():
            self.seconds.setdefault(number, Second()).add(second)
        self.first_findings = [*self.first_findings, *other.first_findings][:FIRST]
        self.elapsed = max(self.elapsed, other.elapsed)
        for name in ("server_cpu", "server_memory", "server_switches"):  # each has looked at the same process
            seen = [value for value in (getattr(self, name), getattr(other, name)) if value is not None]
            setattr(self, name, max(seen, default=None))
        self.interrupted |= other.interrupted
