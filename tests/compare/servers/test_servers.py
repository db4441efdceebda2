"""Each of the servers is started for real, and has to echo: the reactors once, since the others differ in a name."""

import os
import socket
import ssl

from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import Entry, catalogue
from echoproto.compare.results import Cell
from echoproto.compare.run.certificate import make_pem
from echoproto.compare.run.sample import Conditions, server_of
from echoproto.host.serving import free_port
from echoproto.host.signals import Interruption
from echoproto.reactors.selection import auto_name
from tests.support.clients import receive

PATIENCE = 30.0

DATA = bytes(range(256)) * 1_000
"""More than is read or sent at a time."""

TRIED = (auto_name(), "asyncio")


def is_tried(entry: Entry, transport: str) -> bool:
    """Of our service and Twisted's echo, two reactors over TCP, and one over others; of the rest, all."""
    return not entry.reactor or entry.reactor in (TRIED if transport == "tcp" else TRIED[:1])


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pem = os.path.abspath(self.mktemp())
        with open(self.pem, "wb") as file:
            file.write(make_pem())

    def entries(self, transport: str) -> list[Entry]:
        found = [entry for entry in catalogue().values() if is_tried(entry, transport) and transport in entry.commands]
        self.assertGreater(len(found), 4)
        for entry in found:
            self.assertEqual(entry.why_not, "", entry)
        return found

    def connected(self, entry: Entry, transport: str) -> socket.socket:
        """A client of a server that runs until the test is over."""
        port = free_port()
        conditions = Conditions(pem=self.pem)
        cell = Cell(transport=transport)
        self.enterContext(server_of(entry.contestant(transport), cell, port, conditions, Interruption()))
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        client = self.enterContext(socket.socket(socket.AF_INET, kind))
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", port))
        return client

    def assert_echoes(self, client: socket.socket, name: str) -> None:
        """Without a greeting; more than it reads at a time; and then the end."""
        for data in (b"x", DATA):
            client.sendall(data)
            self.assertEqual(receive(client, len(data)), data, name)

    def test_tcp(self) -> None:
        for entry in self.entries("tcp"):
            client = self.connected(entry, "tcp")
            self.assert_echoes(client, entry.name)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"", entry.name)

    def test_tls(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.pem)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # nobody has the certificate of its authority
        for entry in self.entries("tls"):
            client = self.connected(entry, "tls")
            secure = self.enterContext(context.wrap_socket(client, server_hostname="localhost"))
            self.assert_echoes(secure, entry.name)

    def test_udp(self) -> None:
        for entry in self.entries("udp"):
            client = self.connected(entry, "udp")
            for data in (b"x", DATA[:9_000]):
                client.send(data)
                self.assertEqual(client.recv(1 << 16), data, entry.name)

    def test_many_at_once(self) -> None:
        """More than the standard library's 40 processes."""
        for name in ("threads", "processes"):
            entry = catalogue()[name]
            first = self.connected(entry, "tcp")
            address = first.getpeername()
            others = [self.enterContext(socket.create_connection(address, timeout=PATIENCE)) for _ in range(60)]
            clients = [first, *others]
            for client in clients:
                client.sendall(b"x")
            for client in clients:
                self.assertEqual(client.recv(9), b"x", name)
