"""
The outcome of a load; the outcomes of several processes can be added up.
"""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from echoproto.load.histogram import Histogram

MAX_DESCRIBED_FINDINGS = 10
"""Number of findings kept with a description."""


@define
class Second:
    """
    One second of a run.

    :ivar echoes: messages that came back in this second.
    :ivar errors: connections that failed in this second.
    :ivar times: service times of those messages.
    """

    echoes: int = 0
    errors: int = 0
    times: Histogram = field(factory=Histogram)

    def add(self, other: Second) -> None:
        """Add the same second of another process."""
        self.echoes += other.echoes
        self.errors += other.errors
        self.times.add(other.times)


@define
class Outcome:
    """
    The outcome of a load.

    The byte counts include the warm-up; ``sent`` is the sum of ``acked``, ``lost`` and ``unknown``.

    :ivar sent: bytes sent.
    :ivar acked: bytes that came back correctly and in order.
    :ivar lost: bytes that did not come back although the stream ended in order, or time was up.
    :ivar unknown: bytes that did not come back and need not have: after a reset, or an interruption.
    :ivar messages: measured messages that came back complete.
    :ivar warmup_messages: messages of the warm-up that came back complete.
    :ivar connected: connections made, including idle ones.
    :ivar findings: number of findings of each kind of harm (`echoproto.load.client.diagnosis.Kind` values; over UDP:
        lost, duplicated, reordered, truncated, corrupt).
    :ivar first_findings: descriptions of the first findings, each with its connection and offset.
    :ivar errors: failed connections by error, such as ``ECONNRESET``, ``no progress``, ``greeting``, ``TLS``,
        ``certificate``.
    :ivar reasons: details of these errors, where known, such as ``TLS: certificate required``.
    :ivar own_limits: exhausted resources of the generator itself, such as ``descriptors`` or ``ports``.
    :ivar service_time: from the actual send to the last byte back.
    :ivar response_time: from the intended send to the last byte back; empty without a rate.
    :ivar connect_time: from the start of connect to its end (over TLS: without the handshake).
    :ivar first_byte_time: from the start of connect to the first byte of the peer.
    :ivar lag: delay of the generator itself behind the schedule, without the wait for room in the window; empty without
        a rate.
    :ivar seconds: the seconds by number, from the start of measuring.
    :ivar elapsed: measured seconds: to the planned end, or to the last message that came back after it.
    :ivar cpu: CPU time of the generator while measuring, in seconds.
    :ivar server_cpu: CPU time of the server while measuring, if its process is known.
    :ivar server_memory: memory of the server's processes at the end of measuring, with all connections open, in bytes.
    :ivar server_switches: voluntary and involuntary context switches of the server while measuring; ``None`` if
        unknown, also if a process of the server has ended, which takes its counters with it.
    :ivar unsent: messages of the schedule that were not sent in time; 0 without a rate.
    :ivar interrupted: true if the run ended early.
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
        """Add the outcome of another process that ran at the same time."""
        for name in ("sent", "acked", "lost", "unknown", "messages", "warmup_messages", "connected", "unsent", "cpu"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("findings", "errors", "reasons", "own_limits"):
            getattr(self, name).update(getattr(other, name))
        for name in ("service_time", "response_time", "connect_time", "first_byte_time", "lag"):
            getattr(self, name).add(getattr(other, name))
        for number, second in other.seconds.items():
            self.seconds.setdefault(number, Second()).add(second)
        self.first_findings = [*self.first_findings, *other.first_findings][:MAX_DESCRIBED_FINDINGS]
        self.elapsed = max(self.elapsed, other.elapsed)
        for name in ("server_cpu", "server_memory", "server_switches"):  # all processes observe one server
            seen = [value for value in (getattr(self, name), getattr(other, name)) if value is not None]
            setattr(self, name, max(seen, default=None))
        self.interrupted |= other.interrupted
