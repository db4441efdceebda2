"""Lines of the log about connections: their number, their format, and their content."""

import json
import re
import time

from tests.integration.twistd import TwistdCase
from tests.support.clients import PATIENCE, exchange, receive, reset


class ConnectionLogTests(TwistdCase):
    def test_lines_of_connections_can_be_switched_off(self) -> None:
        server = self.serve("--log-connections", "off")
        with server.connect() as client:
            exchange(client, b"x")
        server.stop()
        self.assertEqual([line for line in server.lines if "onnect" in line], [])
        self.assertTrue(any("EchoFactory starting on " in line for line in server.lines), server.lines)

    def test_a_higher_rate_of_lines(self) -> None:
        """400 connections take far less than a minute, in which the default rate would add 60 lines to its burst."""
        server = self.serve("--log-rate", "1000")
        for _ in range(400):
            with server.connect() as client:
                exchange(client, b"x")
        server.stop()
        self.assertGreater(sum("New connection," in line for line in server.lines), 80)

    def test_what_is_left_out_when_it_stops(self) -> None:
        """The connections that the stop itself ends are logged or counted as well."""
        server = self.serve()
        clients = [server.connect() for _ in range(100)]
        for client in clients:
            self.addCleanup(client.close)
            self.assertEqual(receive(client, 6), b"Hello\n")
        server.stop()
        gone = [line for line in server.lines if "Host disconnected" in line]
        told = [int(found[1]) for line in server.lines if (found := re.search(r"(\d+) more disconnections", line))]
        self.assertEqual(len(gone) + sum(told), 100)
        self.assertIn("closed here, the service stops", gone[0])

    def test_lines_of_connections_are_bounded(self) -> None:
        """E4: and what is left out is counted."""
        server = self.serve()
        begun = time.monotonic()
        for _ in range(100):
            with server.connect() as client:
                exchange(client, b"x")
        server.stop()
        told = [int(found[1]) for line in server.lines if (found := re.search(r"(\d+) more new connections", line))]
        logged = sum("New connection," in line for line in server.lines)
        self.assertEqual(sum(told) + logged, 100)
        self.assertLessEqual(logged, 20 + time.monotonic() - begun + 2)

    def test_json(self) -> None:
        server = self.serve("--log-format", "json")
        with server.connect() as client:
            exchange(client, b"x")
        server.stop()
        events = [json.loads(line) for line in server.lines]
        [ended] = [event for event in events if event["event"] == "disconnected"]
        self.assertEqual((ended["ip"], ended["bytes"], ended["why"]), ("127.0.0.1", 1, "closed by peer"))
        self.assertTrue(0 < ended["seconds"] < PATIENCE, ended["seconds"])

    def test_json_under_twist(self) -> None:
        server = self.serve("--log-format", "json", twistd=(), program="twist")
        server.stop()
        self.assertEqual(len([json.loads(line) for line in server.lines if line.startswith("{")]), len(server.lines))

    def test_text_under_twist(self) -> None:
        server = self.serve("--log-format", "text", twistd=(), program="twist")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")
        server.wait_for(r"\[echoproto#info\] New connection, socket fd is \d+, ip is 127.0.0.1, port \d+")

    def test_what_a_peer_sends_is_not_in_the_log(self) -> None:
        """E3: it can't write lines of its own."""
        server = self.serve("--greeting", "")
        attack = b"\n2026-01-01T00:00:00+0000 [echoproto#info] \x1b[31mforged\x1b[0m\r\n"
        with server.connect() as client:
            self.assertEqual(exchange(client, attack), attack)
        server.stop()
        self.assertFalse(any("forged" in line for line in server.lines))
        self.assertEqual(sum("Host disconnected" in line for line in server.lines), 1)

    def test_the_log_under_a_storm(self) -> None:
        """E4, T10: 2,000 connections that are reset: a line a second of each kind after the first 20, no error."""
        server = self.serve("--max-connections", "1000")
        begun = time.monotonic()
        for _ in range(20):
            for _ in range(100):
                reset(server.connect())
            with server.connect() as client:  # served after all of them: a full backlog would lose some, unaccepted
                self.assertEqual(receive(client, 6), b"Hello\n")
        counters = server.counters()
        self.assertEqual(counters["accepted"], 2020)
        server.stop()
        lines = [line for line in server.lines if "onnection" in line]
        self.assertLessEqual(len(lines), 2 * (20 + time.monotonic() - begun + 2))
        self.assertTrue(any("more new connections, not logged one by one" in line for line in server.lines))
        self.assertFalse(any("rror" in line.replace('"errors"', "") for line in server.lines), server.lines)
