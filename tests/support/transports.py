"""A transport in memory that has what a service needs of an echo's."""

from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport


class EchoTransport(StringTransport):
    """
    A `StringTransport` whose queues are in the test's hand.

    :ivar waiting: bytes that the kernel does not take.
    :ivar encrypted: whether those are of TLS, which has taken what was written.
    :ivar in_flight: bytes that the kernel took and the peer has not confirmed.
    :ivar drained: what `drain` was told.
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
