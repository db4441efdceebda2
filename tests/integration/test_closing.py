"""How connections begin and end, and what else TCP can do: one case of it each, over real sockets."""

import os
import re
import select
import signal
import socket
import time

from tests.integration.test_limits import LINUX
from tests.integration.twistd import PATIENCE, Server, TwistdCase
from tests.support.clients import exchange, payload, receive, reset


def error_lines(server: Server) -> list[str]:
    """What its log has of errors, up to now or its end."""
    lines = [line.replace('"errors": {}', "") for line in server.lines]
    return [line for line in lines if re.search(r"[Ee]rror|Traceback|Unhandled|critical|Could not", line)]


def processor_seconds(pid: int) -> float:
    """Seconds for which a process has used a processor (fields utime and stime of proc(5))."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ClosingTests(TwistdCase):
    def assert_survives(self, server: Server, others: int = 0) -> None:
        """Descriptors are back, a new connection echoes, and there is no error, logged or counted."""
        if LINUX is None:
            deadline = time.monotonic() + PATIENCE  # how soon, on a quiet machine, is one of the figures
            while (sockets := server.sockets()) != 1 + others:
                self.assertLess(time.monotonic(), deadline, f"{sockets} sockets")
                time.sleep(0.01)
        with server.connect() as client:
            self.assertEqual(exchange(client, b"still here"), b"still here")
        self.assertEqual(server.tell()["errors"], {})
        self.assertEqual(error_lines(server), [])

    def test_connect_and_close(self) -> None:
        """T5: counted as any other."""
        server = self.serve("--greeting", "")
        server.connect().close()
        server.wait_for(r"Host disconnected, .*, 0 bytes, .*, closed by peer")
        self.assertEqual(server.counters()["closed"], {"peer": 1})
        self.assert_survives(server)

    def test_who_reads_only_after_the_end(self) -> None:
        """T6: what fits the kernel's buffers is there even if the service has closed long before."""
        server = self.serve("--greeting", "")
        for size in (1, 6, 1 << 16):
            data = payload(size)
            with server.connect() as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                server.wait_for(rf"Host disconnected, .*, {size} bytes?, .*, closed by peer")
                self.assertEqual(receive(client, size + 1), data)

    def test_half_close_without_data(self) -> None:
        """T7: the FIN is back within a second."""
        server = self.serve("--greeting", "")

        def seconds() -> float:
            with server.connect() as client:
                begun = time.monotonic()
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(client.recv(1), b"")
                return time.monotonic() - begun

        self.assert_within(1, seconds)

    def test_resets_in_mid_transfer(self) -> None:
        """T8, T9: neighbours are not harmed, and nothing of those that went away stays."""
        server = self.serve("--greeting", "")
        data = payload(1 << 20)
        with server.connect() as neighbour:
            neighbour.sendall(data[:1000])
            for _ in range(50):
                client = server.connect()
                client.sendall(data)
                client.recv(1)  # it is in the middle of it
                reset(client)
            self.assert_survives(server, others=1)
            self.assertTrue(exchange(neighbour, data[1000:]) == data)
        self.assertEqual(server.counters()["closed"], {"reset": 50, "peer": 2})

    def test_10_000_that_connect_and_reset(self) -> None:
        """T10: as some health checks do; no line of error, and not a line for each of the others."""
        server = self.serve("--greeting", "")
        for _ in range(50):
            for _ in range(200):
                reset(server.connect())
            with server.connect() as client:  # served after all of them: a full backlog would lose some, unaccepted
                self.assertEqual(exchange(client, b"x"), b"x")
        self.assert_survives(server)
        self.assertEqual(server.counters()["closed"], {"reset": 10_000, "peer": 51})
        self.assertLess(len(server.lines), 200)

    def test_both_sides_close_at_the_same_time(self) -> None:
        """T11: the service is told to stop while it has not seen yet that its clients have closed, in three ways."""
        server = self.serve("--greeting", "")
        clients = [server.connect() for _ in range(30)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"x")
            self.assertEqual(receive(client, 1), b"x")
        server.process.send_signal(signal.SIGSTOP)
        for number, client in enumerate(clients):
            client.sendall(b"last")
            (client.close, lambda: reset(client), lambda: client.shutdown(socket.SHUT_WR))[number % 3]()  # noqa: B023
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        for client in clients[2::3]:
            self.assertEqual(receive(client, 5), b"last")
        self.assertEqual(server.end(), 0)
        self.assertFalse(any("aborted here" in line for line in server.lines), server.lines)
        self.assertEqual(error_lines(server), [])

    def test_urgent_byte(self) -> None:
        """T12: one that is pending does not keep the service busy; it is not part of the stream."""
        if LINUX is not None:
            self.skipTest(LINUX)
        server = self.serve("--greeting", "")
        with server.connect() as client:
            client.sendall(b"before")
            client.send(b"!", socket.MSG_OOB)
            self.assertEqual(receive(client, 6), b"before")
            used = processor_seconds(server.pid)
            self.assertEqual(select.select([client], [], [client], 1.0), ([], [], []))
            self.assertLess(processor_seconds(server.pid) - used, 0.2)
            client.settimeout(PATIENCE)
            self.assertEqual(exchange(client, b"after"), b"after")
        self.assert_survives(server)

    def test_a_busy_neighbour(self) -> None:
        """E10, T9: what happens to one connection is nothing to the others."""
        server = self.serve("--greeting", "")
        with server.connect() as client:
            for number in range(100):
                other = server.connect()
                other.sendall(b"x" * 100_000)
                reset(other)
                client.sendall(b"%03d" % number)
                self.assertEqual(receive(client, 3), b"%03d" % number)
        self.assertEqual(server.counters()["accepted"], 101)
