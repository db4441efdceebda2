"""
Twisted's own echo, ``twisted.protocols.wire.Echo``, on any of its reactors.
"""

from __future__ import annotations

import argparse
from typing import Any

from twisted.application.reactors import installReactor
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.wire import Echo

from echoproto.compare.servers.arguments import BACKLOG, HOST, parser


class EchoDatagrams(DatagramProtocol):
    """Send back every datagram."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: D102
        self.transport.write(datagram, addr)  # type: ignore[union-attr]  # set before datagrams arrive


def serve(given: argparse.Namespace) -> None:
    """Serve until the process is killed."""
    reactor: Any = installReactor(given.reactor)
    factory = Factory.forProtocol(Echo)
    if given.transport == "udp":
        reactor.listenUDP(given.port, EchoDatagrams(), interface=HOST, maxPacketSize=1 << 16)
    elif given.transport == "tls":
        from twisted.internet.ssl import PrivateCertificate

        with open(given.pem, "rb") as file:
            context = PrivateCertificate.loadPEM(file.read()).options()
        reactor.listenSSL(given.port, factory, context, backlog=BACKLOG, interface=HOST)
    else:
        reactor.listenTCP(given.port, factory, backlog=BACKLOG, interface=HOST)
    reactor.run()


if __name__ == "__main__":
    options = parser("tcp", "tls", "udp")
    options.add_argument("--reactor", default="default")
    serve(options.parse_args())
