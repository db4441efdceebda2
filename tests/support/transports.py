"""A transport in memory with the methods that a service needs."""

from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport


class EchoTransport(StringTransport):
    """
    A `StringTransport` with queues that the test controls.

    :ivar waiting: bytes that the kernel does not accept.
    :ivar encrypted: true if TLS has accepted and encrypted these bytes.
    :ivar in_flight: bytes that the kernel accepted and the peer has not confirmed.
    :ivar drained: the arguments of `drain`.
    """

    truncated = False
    encrypted = False
    waiting = 0
    in_flight = 0

    def __init__(self, peer: IAddress | None = None) -> None:
        super().__init__(peerAddress=peer)
        self.drained: list[int] = []

    def fileno(self) -> int:
        return 5

    def buffered(self) -> int:
        return self.waiting

    def unsent(self) -> int:
        return 0 if self.encrypted else self.waiting

    def unconfirmed(self) -> int:
        return self.in_flight

    def drain(self, count: int) -> None:
        self.drained.append(count)
