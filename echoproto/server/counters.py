"""
Counters of connections, datagrams, bytes and errors since the start; their sums are consistent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from attrs import asdict, evolve, frozen
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from echoproto.protocol import Echo
from echoproto.server.log.faults import fault_of
from echoproto.server.sockets.tlserrors import is_tls_error, reason_of

ENDINGS = {
    "peer": "closed by peer",
    "truncated": "closed by peer, without the end of TLS",
    "reset": "reset or lost",
    "idle": "closed here, idle for too long",
    "lifetime": "closed here, connected for too long",
    "write-stall": "aborted here, nothing could be sent for too long",
    "stop": "closed here, the service stops",
    "drain": "aborted here, the service stops and can't wait any longer",
    "error": "ended by an error",
    "worker": "lost with its worker",
    "abort": "aborted here",
}
"""Reasons for the end of a connection, and their descriptions; the keys of ``Snapshot.closed``."""

MAX_ERROR_NAMES = 100
"""Maximum number of error names with a counter of their own; a hostile peer can cause about thirty."""

OTHER_ERRORS = "other errors"


def ending_of(connection: Echo, reason: Failure) -> str:
    """
    Return the reason for the end of a connection.

    :param reason: the argument of ``connectionLost``.
    :return: a key of `ENDINGS`.
    """
    if fault_of(connection, reason) is not None:
        return "error"
    if connection.ended_by:
        return connection.ended_by
    why = reason.value
    if isinstance(why, ConnectionDone):
        return "peer"
    if isinstance(why, ConnectionAborted):
        return "abort"
    if isinstance(why, ConnectionLost):
        return "truncated" if connection.transport.truncated else "reset"
    return "error"


def name_of_error(error: BaseException | None) -> str:
    """Return the name that counters and log give to an error: OpenSSL's reason, or the exception's name."""
    return reason_of(error) if is_tls_error(error) else type(error).__name__


def _sent(connection: Echo) -> int:
    """Return the number of bytes that the kernel, or TLS, has accepted."""
    return connection.bytes_given - connection.transport.unsent()


@frozen
class Snapshot:
    """
    Values of all counters at one moment.

    ``accepted`` is the sum of ``active`` and all of ``closed``; ``datagrams_received`` is the sum of
    ``datagrams_echoed`` and all of ``datagrams_refused`` and ``datagrams_failed``.

    :ivar closed: ended connections by reason, a key of `ENDINGS`.
    :ivar refused: connections closed at accept, by the limit that refused them; not in ``accepted``.
    :ivar bytes_received: bytes from accepted connections; over TLS, without encryption.
    :ivar bytes_sent: bytes that the kernel, or TLS, has accepted, including greetings.
    :ivar datagrams_refused: datagrams without a reply, by reason, a key of `echoproto.datagram.REFUSALS`.
    :ivar datagrams_failed: datagrams whose reply could not be sent, by the name of the error, such as ``EPERM``.
    :ivar datagrams_dropped: datagrams that the system dropped because the socket's buffer was full; not in
        ``datagrams_received``. Always 0 outside Linux, where the system does not report them.
    :ivar errors: errors by name: of accept(2), such as ``ENFILE``; of reading datagrams; of TLS, by OpenSSL's reason,
        such as ``http request``; and other exceptions that ended a connection.
    """

    accepted: int
    active: int
    closed: Mapping[str, int]
    refused: Mapping[str, int]
    bytes_received: int
    bytes_sent: int
    datagrams_received: int
    datagrams_echoed: int
    datagrams_refused: Mapping[str, int]
    datagrams_failed: Mapping[str, int]
    datagrams_dropped: int
    errors: Mapping[str, int]

    def as_dict(self) -> dict[str, int | dict[str, int]]:
        """Return the counters as a dictionary for `json.dumps`."""
        return {
            name: value if isinstance(value, int) else dict(value)
            for name, value in asdict(self, recurse=False).items()
        }

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any]) -> Snapshot:
        """Make a snapshot of the dictionary that `as_dict` returned."""
        fields: dict[str, Any] = {
            name: value if isinstance(value, int) else _frozen(value) for name, value in counts.items()
        }
        return cls(**fields)

    def __add__(self, other: Snapshot) -> Snapshot:
        """Add up the counters of two processes."""
        mine, theirs = asdict(self, recurse=False), asdict(other, recurse=False)
        fields: dict[str, Any] = {
            name: value + theirs[name] if isinstance(value, int) else _frozen(Counter(value) + Counter(theirs[name]))
            for name, value in mine.items()
        }
        return Snapshot(**fields)

    def lost(self) -> Snapshot:
        """Return the counters after the end of the process: its active connections count as closed, by ``worker``."""
        closed = Counter(self.closed) + Counter(worker=self.active)
        return evolve(self, active=0, closed=_frozen(closed))


def flat(counts: Mapping[str, int | Mapping[str, int]]) -> dict[str, int]:
    """Return counters as one flat dictionary, with keys such as ``closed.peer``."""
    found: dict[str, int] = {}
    for name, value in counts.items():
        found.update({name: value} if isinstance(value, int) else {f"{name}.{why}": n for why, n in value.items()})
    return found


def _frozen(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts))


class Counters:
    """
    Counters of one process; an observer of an `EchoFactory`.

    The code that refuses a connection or a datagram increments the counter of refusals itself.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.closed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.datagrams_echoed = 0
        self.datagrams_refused: Counter[str] = Counter()
        self.datagrams_failed: Counter[str] = Counter()
        self.datagrams_dropped = 0
        self.errors: Counter[str] = Counter()
        self._received = 0
        self._sent = 0

    def connected(self, connection: Echo) -> None:
        """Count an accepted connection."""
        self.accepted += 1

    def disconnected(self, connection: Echo, reason: Failure) -> None:
        """Count an ended connection and its bytes, so that counting costs nothing while data flows."""
        ending = ending_of(connection, reason)
        self.closed[ending] += 1
        if ending == "error":
            self.count_error(name_of_error((connection.fault or reason).value))
        self._received += connection.bytes_received
        self._sent += _sent(connection)

    def count_error(self, name: str) -> None:
        """Count an error; the number of names is bounded, since peers can cause many kinds of TLS errors."""
        known = name in self.errors or len(self.errors) < MAX_ERROR_NAMES
        self.errors[name if known else OTHER_ERRORS] += 1

    def snapshot(self, connections: Collection[Echo]) -> Snapshot:
        """
        Return the current values of all counters.

        :param connections: the connections that are open now.
        """
        refused, failed = Counter(self.datagrams_refused), Counter(self.datagrams_failed)
        return Snapshot(
            accepted=self.accepted,
            active=len(connections),
            closed=_frozen(self.closed),
            refused=_frozen(self.refused),
            bytes_received=self._received + sum(connection.bytes_received for connection in connections),
            bytes_sent=self._sent + sum(map(_sent, connections)),
            datagrams_received=self.datagrams_echoed + refused.total() + failed.total(),
            datagrams_echoed=self.datagrams_echoed,
            datagrams_refused=_frozen(refused),
            datagrams_failed=_frozen(failed),
            datagrams_dropped=self.datagrams_dropped,
            errors=_frozen(self.errors),
        )
