import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.client.tls import TLSSocket
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Churn, Transport
from tests.support.certificates import make_pem
from tests.support.loads import LoadCase

ROOM = 1 << 16


def contexts(case: SynchronousTestCase) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """One for a server, and one for a client that trusts everybody."""
    path = case.mktemp()
    with open(path, "wb") as file:
        file.write(make_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return server, client


class Peer:
    """A server's side of TLS in memory, which sends when it is told to."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self.plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def take(self) -> None:
        self._incoming.write(self.plain.recv(ROOM))

    def flush(self) -> None:
        if data := self._outgoing.read():
            self.plain.sendall(data)


def records(peer: Peer) -> Iterator[bytes]:
    """Yield the data that a peer receives, up to close_notify."""
    while True:
        try:
            data = peer.tls.read(ROOM)
        except ssl.SSLWantReadError:
            peer.take()
        except ssl.SSLZeroReturnError:
            return
        else:
            if not data:
                return
            yield data


class TLSSocketTests(SynchronousTestCase):
    def pair(self) -> tuple[TLSSocket, Peer]:
        """Both ends, with the handshake done."""
        here, there = socket.socketpair()
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        here.setblocking(False)
        server, client = contexts(self)
        one, other = TLSSocket(here, client, "localhost"), Peer(there, server)
        done = False
        while not done:
            with contextlib.suppress(BlockingIOError):
                one.do_handshake()
                done = True
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                there.setblocking(False)
                other.take()
                other.tls.do_handshake()
            other.flush()
        there.setblocking(True)
        with contextlib.suppress(ssl.SSLWantReadError):
            other.tls.do_handshake()
        other.flush()
        return one, other

    def test_the_end_is_said_while_data_is_unread(self) -> None:
        """All that has come is received after it, in order, and the peer hears of the end in order."""
        one, other = self.pair()
        for data in (b"first", b"second" * 5000):
            other.tls.write(data)
        other.flush()
        self.assertEqual(one.recv(2), b"fi")
        self.assertTrue(one.pending)
        one.close_sending()
        one.flush()
        other.tls.write(b"last")
        other.flush()
        received = b""
        expected = b"rst" + b"second" * 5000 + b"last"
        while len(received) < len(expected):
            received += one.recv(100)
        self.assertEqual(received, expected)
        other.take()
        self.assertEqual(b"".join(records(other)), b"")

    def test_the_end_is_said_after_the_stream_was_cut(self) -> None:
        """The data from before the cut is received first, then the end is reported."""
        one, other = self.pair()
        other.tls.write(b"abc")
        other.flush()
        other.plain.shutdown(socket.SHUT_WR)
        self.assertEqual(one.recv(1), b"a")
        one.close_sending()
        self.assertEqual(one.recv(9), b"bc")
        self.assertRaises(ssl.SSLEOFError, one.recv, 9)


class LoadTests(LoadCase):
    """A load on a server whose records don't come as they would by themselves."""

    def serve(self, talk: Callable[[socket.socket, ssl.SSLContext], None], **settings: object) -> Outcome:
        server, _ = contexts(self)
        threads: list[threading.Thread] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threads.append(threading.Thread(target=talk, args=(connection, server), daemon=True))
                    threads[-1].start()

        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
            accepting = threading.Thread(target=accept, daemon=True)
            accepting.start()
            port = listener.getsockname()[1]
            outcome = self.load(port, transport=Transport.TLS, verify=False, **settings)  # type: ignore[arg-type]
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
        for thread in threads:
            thread.join(10)
        return outcome

    def test_half_close_with_records_of_all_sizes(self) -> None:
        """A sound service has nothing lost, however its records fall; also where it says its end first."""

        def talk(connection: socket.socket, context: ssl.SSLContext) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(b"Hello\n")
                while data := tls.recv(ROOM):
                    for start in range(0, len(data), 3000):
                        tls.sendall(data[start : start + 3000])
                tls.unwrap()

        for settings in (
            {"count": 100, "largest": 40_000, "half_close": True, "window": 3},
            {"count": 20, "smallest": 1, "largest": 1, "churn": Churn.FIN},
        ):
            self.assert_good(self.serve(talk, **settings))

    def test_a_greeting_that_comes_with_the_end_of_the_handshake(self) -> None:
        """In one segment, as TLS 1.2 may have it: no event tells of it."""

        def talk(connection: socket.socket, context: ssl.SSLContext) -> None:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            peer = Peer(connection, context)
            with connection, contextlib.suppress(OSError):
                while True:
                    try:
                        peer.tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        peer.flush()
                        peer.take()
                peer.tls.write(b"Welcome")
                peer.flush()
                for data in records(peer):
                    peer.tls.write(data)
                    peer.flush()

        self.assert_good(self.serve(talk, greeting=b"Welcome", count=4))
