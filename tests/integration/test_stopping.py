"""How it stops: what is in flight comes back, nobody can postpone the end, and scripts are told that all is well."""

import contextlib
import functools
import itertools
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial

from tests.integration.twistd import PATIENCE, Server, TwistdCase
from tests.support.certificates import make_pem
from tests.support.clients import STALL, TLSClient, not_taken, payload, receive


def send_until_stuck(client: socket.socket, data: bytes) -> int:
    """Send until the other side takes no more; give how many bytes it has taken."""
    client.setblocking(False)
    sent = 0
    while sent < len(data) and select.select([], [client], [], STALL)[1]:
        sent += client.send(data[sent : sent + 65536])
    return sent


def read_to_the_end(client: socket.socket) -> bytes:
    received = bytearray()
    client.settimeout(PATIENCE)
    while chunk := client.recv(1 << 20):
        received += chunk
    return bytes(received)


def unseal_to_the_end(tls: TLSClient, client: socket.socket) -> bytes:
    """Receive until the end, which must be announced."""
    received, clean = bytearray(), False
    client.settimeout(PATIENCE)
    while not clean:
        chunk = client.recv(1 << 20)
        if not chunk:
            raise EOFError(f"after {len(received)} bytes")
        echo, clean = tls.unseal(chunk)
        received += echo
    return bytes(received)


class StoppingTests(TwistdCase):
    def stop(self, server: Server, number: int = signal.SIGTERM) -> None:
        server.process.send_signal(number)
        server.wait_for(rf"Received {signal.Signals(number).name}, stopping")

    def lets_in(self, server: Server) -> bool:
        with socket.socket() as late:
            return late.connect_ex((server.host, server.port)) == 0

    def test_idle(self) -> None:
        """O6: exit status 0 within a second, on either signal, with and without connections that are idle."""
        if sys.platform == "darwin":
            self.skipTest("macOS does not tell what a peer has confirmed, so idle connections are waited for")
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assert_within(1.5, partial(self.seconds_to_stop, number))

    def seconds_to_stop(self, number: int) -> float:
        server = self.serve()
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"x")
            self.assertEqual(receive(client, 7), b"Hello\nx")
        begun = time.monotonic()
        self.assertEqual(server.stop(number), 0)
        taken = time.monotonic() - begun
        for client in clients:
            self.assertEqual(read_to_the_end(client), b"")
        return taken

    def test_bytes_in_flight(self) -> None:
        """O7: what our side had taken at the signal comes back, an exact prefix, then a FIN; nobody new is let in."""
        server = self.serve("--greeting", "")
        data = payload(32 << 20)
        with server.connect() as client:
            sent = send_until_stuck(client, data)
            taken = sent - not_taken(client)
            self.stop(server)
            deadline = time.monotonic() + PATIENCE
            while self.lets_in(server):
                self.assertLess(time.monotonic(), deadline)
            received = read_to_the_end(client)
        self.assertGreaterEqual(len(received), taken)
        self.assertTrue(received == data[: len(received)])
        self.assertEqual(server.end(), 0)

    def serve_tls(self) -> Server:
        path = f"{self.folder()}/echo.pem"
        with open(path, "wb") as file:
            file.write(make_pem())
        return self.serve("--greeting", "", "--listen", f"ssl:0:privateKey={path}:interface=127.0.0.1")

    def test_in_the_middle_of_a_handshake(self) -> None:
        """O7: it is completed, what its client sends with it comes back, and the end is announced."""
        server = self.serve_tls()
        stop = functools.cache(partial(self.stop, server))
        with server.connect() as client:
            tls = TLSClient(client, stop)
            client.sendall(tls.seal(b"early", close_notify=False))
            self.assertEqual(unseal_to_the_end(tls, client), b"early")
        self.assertEqual(server.end(), 0)

    def test_bytes_in_flight_over_tls(self) -> None:
        """O7: of a record that is only partly there, nothing can come back."""
        server = self.serve_tls()
        data = payload(32 << 20)
        with server.connect() as client:
            tls = TLSClient(client)
            sealed = tls.seal(data, close_notify=False)
            sent = send_until_stuck(client, sealed)
            taken = sent - not_taken(client)
            self.stop(server)
            received = unseal_to_the_end(tls, client)
        share = len(data) / len(sealed)
        self.assertGreaterEqual(len(received), (taken - 2 * 16384) * share)
        self.assertTrue(received == data[: len(received)])
        self.assertEqual(server.end(), 0)

    def test_a_peer_that_does_not_read(self) -> None:
        """O7: aborted when the time is over, with exit status 0."""
        server = self.serve("--greeting", "", "--drain", "1")
        with server.connect() as client:
            send_until_stuck(client, payload(32 << 20))
            begun = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertTrue(0.9 <= time.monotonic() - begun < PATIENCE, time.monotonic() - begun)
        self.assertTrue(any("aborted here" in line for line in server.lines))

    def test_a_second_signal(self) -> None:
        """O7: means now, from a second later on."""
        server = self.serve("--greeting", "", "--drain", "600")
        with server.connect() as client:
            send_until_stuck(client, payload(32 << 20))
            begun = time.monotonic()
            self.stop(server)
            server.stop_now()
            self.assertGreaterEqual(time.monotonic() - begun, 1)
            self.assertEqual(server.end(), 0)
        self.assertTrue(any("too soon to mean more: still stopping" in line for line in server.lines))

    def test_a_signal_that_is_told_twice(self) -> None:
        """O7: as by ``timeout`` and supervisors: all that is in flight comes back all the same."""
        # Two of a kind may become one on their way.
        for numbers in ((signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)):
            server = self.serve("--greeting", "", "--drain", "600")
            data = payload(32 << 20)
            with server.connect() as client:
                sent = send_until_stuck(client, data)
                taken = sent - not_taken(client)
                for number in numbers:
                    server.process.send_signal(number)
                server.wait_for("Received SIG(TERM|INT) again, too soon")
                received = read_to_the_end(client)
            self.assertGreaterEqual(len(received), taken)
            self.assertTrue(received == data[: len(received)])
            self.assertEqual(server.end(), 0)
            self.assertFalse(any("aborting" in line for line in server.lines))

    def test_signals_until_the_end(self) -> None:
        """O6: those that come while the interpreter ends do not change the exit status."""
        for program, words in (("twistd", ()), ("twist", ("--log-format", "text"))):
            server = self.serve(*words, program=program, twistd=("-n",) if program == "twistd" else ())
            for number in itertools.cycle((signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)):
                server.process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(0.001)
                    break
            self.assertEqual(server.end(), 0)

    def test_a_peer_that_goes_on_sending(self) -> None:
        """O7: it can't postpone the end, and what was in flight comes back to it all the same."""
        server = self.serve("--greeting", "", "--drain", "600")
        data = payload(8 << 20)
        with server.connect() as client:
            client.settimeout(PATIENCE)
            over = threading.Event()

            def send() -> None:
                position = 0
                while not over.is_set():
                    try:
                        position += client.send(data[position % len(data) :][:65536])
                    except OSError:
                        return

            sender = threading.Thread(target=send)
            sender.start()
            position = 0
            while position < 1 << 20:
                position += len(client.recv(65536))
            self.stop(server)
            while chunk := client.recv(65536):
                expected = (data + data[:65536])[position % len(data) :][: len(chunk)]
                self.assertTrue(chunk == expected)
                position += len(chunk)
            over.set()
            with contextlib.suppress(OSError):  # it may be over already
                client.shutdown(socket.SHUT_RDWR)
            sender.join(PATIENCE)
        self.assertEqual(server.end(), 0)
