"""
The lifetime of connections: one for all messages of a stream or, with churn, one per message.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Protocol

from typing_extensions import override

from echoproto.load.client.connecting import Connecting
from echoproto.load.client.senders import ClosedLoop
from echoproto.load.client.stream import EchoStream
from echoproto.load.workload import Churn


class Owner(Protocol):
    """
    The part of `echoproto.load.client.streams.Streams` that lifetimes use.

    :ivar half_close: true if each connection closes its sending side after its last message.
    """

    pacing: ClosedLoop[EchoStream]
    connecting: Connecting
    doubted: set[EchoStream]
    half_close: bool

    def fill(self, stream: EchoStream) -> None:
        """Send messages until the window is full."""

    def close_sending(self, stream: EchoStream) -> None:
        """Close the sending side of a stream, if everything is sent."""

    def rest(self, stream: EchoStream) -> None:
        """Record that a stream has nothing in flight."""

    def close(self, stream: EchoStream, *, reset: bool = False) -> None:
        """Close the connection of a stream."""

    def over(self, stream: EchoStream, *, failed: bool = False) -> None:
        """Close the connection of a stream, and choose its next step."""


class Lasting:
    """
    The lifetime of persistent connections, which carry all messages of their stream.

    :ivar ready: streams with an open connection.
    :param streams: all streams of the load.
    """

    def __init__(self, streams: Owner) -> None:
        self.ready: set[EchoStream] = set()
        self._streams = streams

    def begin(self) -> None:
        """Start the load, after the initial connections are made."""

    def senders(self, streams: list[EchoStream]) -> list[EchoStream]:
        """Select the streams that can send."""
        return [stream for stream in streams if stream in self.ready]

    def opened(self, stream: EchoStream) -> None:
        """Keep a newly opened connection."""
        self.ready.add(stream)
        self._streams.pacing.working.discard(stream)

    def offer(self, stream: EchoStream) -> None:
        """Let a stream send."""
        self._streams.fill(stream)

    def answered(self, stream: EchoStream) -> None:
        """React to received data."""
        self._streams.fill(stream)

    def is_last(self, stream: EchoStream) -> bool:
        """Return true if the connection carries no further messages."""
        return self._streams.pacing.is_dry(stream)

    def over(self, stream: EchoStream, *, failed: bool) -> None:
        """Choose the next step of a stream that lost its connection."""
        self.ready.discard(stream)
        self._streams.pacing.leave(stream)

    def wind_up(self, stream: EchoStream) -> None:
        """End the sending on a stream: half-close it, or let it rest."""
        if self._streams.half_close:
            self._streams.close_sending(stream)
        elif not stream.in_flight:
            self._streams.rest(stream)

    def check(self, now: int) -> bool:
        """Return true if the load can't make progress, at a time in ns."""
        return False


class Churning(Lasting):
    """
    The lifetime of connections that carry one message each.

    The probe connection before the load and the idle connections are persistent. A stream whose connection failed tries
    again after the next `check`, with the same message if that was not sent.

    :param patience: ns of uninterrupted failures that are tolerated.
    """

    def __init__(self, streams: Owner, churn: Churn, patience: int) -> None:
        super().__init__(streams)
        self._begun = False
        self._reset = churn is Churn.RESET
        self._patience = patience
        self._resting: list[EchoStream] = []
        self._failing_since = 0

    def _lasts(self, stream: EchoStream) -> bool:
        return stream.idle or not self._begun

    @override
    def begin(self) -> None:
        self._begun = True
        self.ready.clear()

    @override
    def senders(self, streams: list[EchoStream]) -> list[EchoStream]:
        return list(streams)

    @override
    def opened(self, stream: EchoStream) -> None:
        if self._lasts(stream):
            super().opened(stream)
        else:
            self._streams.fill(stream)

    @override
    def offer(self, stream: EchoStream) -> None:
        streams = self._streams
        if stream.is_connected or stream in self._resting or stream in streams.connecting.held:
            return
        if stream.waiting or stream.drawn or (not streams.pacing.scheduled and stream.messages.draw()):
            streams.pacing.working.add(stream)
            streams.connecting.begin(stream)
        else:
            streams.rest(stream)

    @override
    def answered(self, stream: EchoStream) -> None:
        streams = self._streams
        if stream.in_flight or streams.half_close:
            return  # the rest of the message, or the peer's FIN, is still to come
        if not self._reset and stream.connection.tls is not None:
            streams.close_sending(stream)
        if stream.is_connected:
            streams.close(stream, reset=self._reset)
            streams.over(stream)

    @override
    def is_last(self, stream: EchoStream) -> bool:
        return stream.in_flight > 0 or super().is_last(stream)

    @override
    def over(self, stream: EchoStream, *, failed: bool) -> None:
        if self._lasts(stream):
            super().over(stream, failed=failed)
        elif failed:
            self._resting.append(stream)
            self._failing_since = self._failing_since or monotonic_ns()
        else:
            self._failing_since = 0
            self.offer(stream)

    @override
    def wind_up(self, stream: EchoStream) -> None:
        """Close a connection that has sent nothing; all others end by themselves."""
        if not (stream.in_flight or stream.is_ending or stream in self._streams.doubted):
            if stream.is_connected:
                self._streams.close(stream)
            self._streams.rest(stream)

    @override
    def check(self, now: int) -> bool:
        resting, self._resting = self._resting, []
        for stream in resting:
            self.offer(stream)
        return bool(self._failing_since) and now - self._failing_since > self._patience
