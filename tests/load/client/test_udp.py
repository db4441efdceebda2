import socket
import sys
import threading
import time

from echoproto.errors import ConfigurationError
from echoproto.load.client import udp
from echoproto.load.engine import run
from echoproto.load.errors import Unreachable
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Churn, Transport
from echoproto.units import NS
from tests.support import udpmutants
from tests.support.loads import LoadCase, workload


class UDPCase(LoadCase):
    def try_on(self, mutant: udpmutants.UDPMutant, **settings: object) -> Outcome:
        with udpmutants.serving(mutant) as port:
            return self.load(port, transport=Transport.UDP, **{"connections": 1, **settings})  # type: ignore[arg-type]


class HonestTests(UDPCase):
    def test_closed_loop(self) -> None:
        for window in (1, 8):
            outcome = self.try_on(udpmutants.honest, window=window, warmup=0.1)
            self.assert_good(outcome)
            self.assertEqual(outcome.connected, 1)
            self.assertGreater(outcome.sent, 64 * outcome.messages)

    def test_so_many_messages(self) -> None:
        outcome = self.try_on(udpmutants.honest, count=200, smallest=16, largest=1472, window=3)
        self.assert_good(outcome)
        self.assertEqual(outcome.messages, 200)

    def test_as_large_as_can_be(self) -> None:
        outcome = self.try_on(udpmutants.honest, count=10, smallest=65_507, largest=65_507)
        self.assert_good(outcome)

    def test_on_schedule(self) -> None:
        outcome = self.try_on(udpmutants.honest, rate=500.0, count=100)
        self.assert_good(outcome)
        self.assertEqual((outcome.messages, outcome.response_time.count, outcome.unsent), (100, 100, 0))


class HarmTests(UDPCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(udp, "LOSS_TIMEOUT", NS // 2)

    def test_each_is_caught_and_named(self) -> None:
        """L2."""
        expected = {
            udpmutants.drops: "lost",
            udpmutants.duplicates: "duplicated",
            udpmutants.swaps: "reordered",
            udpmutants.truncates: "truncated",
            udpmutants.flips: "corrupt",
            udpmutants.flips_in_the_header: "corrupt",
            udpmutants.appends: "inserted",
        }
        for mutant, kind in expected.items():
            outcome = self.try_on(mutant, count=70, window=10)
            self.assertEqual(set(outcome.findings), {kind}, mutant)
            self.assertTrue(9 <= outcome.findings[kind] <= 12, (mutant, outcome.findings))
            self.assertRegex(outcome.first_findings[0], r"^socket 0: datagram \d+")
            harmed = 0 if kind in ("duplicated", "reordered") else outcome.findings[kind]
            self.assertEqual(outcome.messages, 70 - harmed)

    def test_what_comes_late_is_not_lost(self) -> None:
        def slow(datagrams):  # type: ignore[no-untyped-def]
            for number, data in enumerate(datagrams):
                if number == 3:
                    time.sleep(0.5)
                yield data

        self.patch(udp, "LOSS_TIMEOUT", NS // 5)
        outcome = self.try_on(slow, count=10)
        self.assertEqual((outcome.lost, dict(outcome.findings)), (0, {}))
        self.assertEqual((outcome.messages, outcome.sent), (10, outcome.acked))

    def test_nothing_comes_any_more(self) -> None:
        """L1: no hang."""

        def stops(datagrams):  # type: ignore[no-untyped-def]
            for number, data in enumerate(datagrams):
                if number < 3:
                    yield data

        outcome = self.try_on(stops, duration=60.0, patience=2.0)
        self.assertEqual((outcome.messages, dict(outcome.errors)), (3, {"no progress": 1}))
        self.assertLess(outcome.elapsed, 30)

    def test_interrupted(self) -> None:
        """L6."""
        with udpmutants.serving(udpmutants.honest) as port:
            outcome = run(workload(port, Transport.UDP, duration=60.0, connections=1), interrupted=lambda: True)
        self.assert_adds_up(outcome)
        self.assertTrue(outcome.interrupted)

    def test_in_flight_when_interrupted(self) -> None:
        """L6: an echo that comes by then is one, and no duplicate; one that does not come is not lost."""
        for replies in (True, False):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind(("127.0.0.1", 0))
                server.setblocking(False)

                def interrupted(server: socket.socket = server, replies: bool = replies) -> bool:
                    try:
                        data, peer = server.recvfrom(100)
                    except BlockingIOError:
                        return False
                    if replies:
                        server.sendto(data, peer)
                    return True

                load = workload(server.getsockname()[1], Transport.UDP, duration=60.0, connections=1)
                outcome = run(load, interrupted=interrupted)
            self.assertEqual((outcome.sent, dict(outcome.findings)), (64, {}))
            self.assertEqual((outcome.acked, outcome.unknown), (64, 0) if replies else (0, 64))


class FailingTests(UDPCase):
    def test_nobody_answers(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            port = mute.getsockname()[1]
            error = self.assertRaises(
                Unreachable, self.load, port, transport=Transport.UDP, duration=60.0, patience=0.5
            )
        self.assertIn("no reply", str(error))

    def test_the_service_goes_away(self) -> None:
        """L1: the system says that nobody is there any more, and what is not back is lost."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]

            def serve() -> None:
                for _ in range(5):
                    data, source = server.recvfrom(1 << 16)
                    server.sendto(data, source)
                server.close()

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            outcome = run(workload(port, Transport.UDP, connections=1, duration=60.0), patience=2.0)
            thread.join(10)
        self.assert_adds_up(outcome)
        self.assertEqual(outcome.messages, 5)
        self.assertGreater(outcome.errors["ECONNREFUSED"], 0)
        self.assertGreater(outcome.findings["lost"], 0)

    def test_what_udp_does_not_have(self) -> None:
        for settings in (
            {"smallest": 15},
            {"largest": 65_508},
            {"churn": Churn.FIN},
            {"half_close": True},
            {"proxy": 1},
            {"idle": 1},
            {"greeting": b"Hi"},
        ):
            error = self.assertRaises(ConfigurationError, self.load, 9, transport=Transport.UDP, **settings)
            self.assertEqual(error.exit_status, 2)


class DropsTests(UDPCase):
    def test_what_this_machine_drops_is_its_own_limit(self) -> None:
        """L3: a receive buffer that is too small is not the service's loss."""
        if not sys.platform.startswith("linux"):
            self.skipTest("there is no /proc/net/udp")
        self.patch(udp, "RECEIVE_BUFFER", 1)

        def floods(datagrams):  # type: ignore[no-untyped-def]
            for data in datagrams:
                for _ in range(50):
                    yield data

        outcome = self.try_on(floods, count=3, smallest=1000, largest=1000)
        self.assertGreater(outcome.own_limits["receive buffer"], 0)
