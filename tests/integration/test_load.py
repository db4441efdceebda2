"""The load generator against the service, on each reactor."""

import os
import time
from functools import partial
from typing import Any

from echoproto.load.engine import run
from echoproto.load.errors import HandshakeFailed
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Churn, Target, Transport
from tests.integration.twistd import PATIENCE, TwistdCase
from tests.support.loads import LoadCase, at_once, workload


class LoadTwistdCase(TwistdCase, LoadCase):
    """Loads on servers in processes of their own."""


class OwnServiceTests(LoadTwistdCase):
    def test_tcp(self) -> None:
        server = self.serve()
        for settings in (
            {"connections": 20, "idle": 20, "server_pid": server.pid, "warmup": 0.1},
            {"window": 5, "smallest": 1, "largest": 100_000, "half_close": True},
            {"smallest": 1 << 20, "largest": 1 << 20, "window": 2, "count": 10},
            {"rate": 500.0, "window": 2},
            {"churn": Churn.FIN, "count": 100},
            {"churn": Churn.RESET, "count": 100},
            {"churn": Churn.FIN, "half_close": True, "count": 100},
            {"greeting": b"Hello\n"},
        ):
            outcome = self.load(server.port, **settings)
            self.assert_good(outcome)
            self.assertEqual(outcome.server_cpu is not None, "server_pid" in settings)
        self.assertGreater(server.counters()["accepted"], 300)

    def test_tls(self) -> None:
        endpoint = self.tls_endpoint()
        server = self.serve("--listen", endpoint)
        target = Target(Transport.TLS, "localhost", server.port)
        pem = endpoint.rpartition("=")[2]
        for settings in (
            {"verify": False, "idle": 3},
            {"ca": pem},
            {"ca": pem, "window": 5, "smallest": 1, "largest": 100_000, "half_close": True},
            {"ca": pem, "rate": 200.0, "half_close": True},
            {"ca": pem, "churn": Churn.FIN, "count": 20},
            {"ca": pem, "churn": Churn.RESET, "count": 20},
            {"ca": pem, "churn": Churn.FIN, "half_close": True, "count": 20},
        ):
            self.assert_good(self.load(server.port, target=target, **settings))
        error = self.assertRaises(HandshakeFailed, self.load, server.port, target=target)
        self.assertEqual(error.exit_status, 3)
        self.assertIn("self-signed certificate: --ca FILE or --insecure may help", str(error))

    def test_unix(self) -> None:
        path = os.path.join(self.folder(), "s")
        server = self.serve("--port", "0", "--listen", f"unix:{path}")
        server.wait_for(r"Listening")
        target = Target(Transport.UNIX, path=path)
        for settings in (
            {"connections": 20},
            {"window": 5, "largest": 50_000, "half_close": True},
            {"churn": Churn.FIN},
        ):
            self.assert_good(self.load(0, target=target, **settings))

    def test_udp(self) -> None:
        server = self.serve("--interface", "127.0.0.1", "--udp", "0")
        port = int(server.wait_for(r"Listening for UDP, socket fd is \d+, address \S+, port (\d+)$")[1])
        for settings in ({"window": 4}, {"count": 50, "smallest": 16, "largest": 9000}, {"rate": 300.0}):
            outcome = self.load(port, transport=Transport.UDP, **settings)
            self.assert_good(outcome)

    def test_it_is_killed_in_mid_run(self) -> None:
        """L1: what was lost or is unknown is reported, and nothing hangs."""
        server = self.serve()
        kinds: tuple[dict[str, Any], ...] = (
            {},
            {"rate": 500.0},
            {"churn": Churn.FIN},
            {"window": 4, "smallest": 50_000, "largest": 50_000},
        )
        under_way: set[int] = set()

        def load(number: int, settings: dict[str, Any]) -> Outcome:
            def progress(outcome: Outcome) -> None:
                if outcome.messages:
                    under_way.add(number)
                if len(under_way) == len(kinds):
                    server.process.kill()

            settings = {"connections": 10, "duration": 60.0, **settings}
            return run(workload(server.port, **settings), progress=progress)

        begun = time.monotonic()
        outcomes = at_once(*(partial(load, number, settings) for number, settings in enumerate(kinds)))
        self.assertLess(time.monotonic() - begun, PATIENCE)
        for outcome, settings in zip(outcomes, kinds, strict=True):
            self.assert_adds_up(outcome)
            self.assertGreater(outcome.messages, 0)
            self.assertGreaterEqual(outcome.errors.total(), 10)
            self.assertGreaterEqual(outcome.lost + outcome.unknown, 50_000 if "window" in settings else 0)
            self.assertFalse(outcome.interrupted)
