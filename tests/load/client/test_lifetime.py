import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from echoproto.load import address
from echoproto.load.outcome import Outcome
from echoproto.load.workload import Churn
from tests.support.loads import LoadCase, port_of
from tests.support.mutants import flips_a_bit, forgets_the_tail, greets, honest, sends_only_its_own, serving


class EndsTests(LoadCase):
    """What the service sees of each connection."""

    def watch(self, **settings: object) -> tuple[Outcome, list[tuple[str, str]]]:
        """The outcome of a load, and of each connection but the first, which is a probe: its source, and its end."""
        seen: list[tuple[str, str]] = []
        threads: list[threading.Thread] = []

        def talk(connection: socket.socket, source: str) -> None:
            end = "FIN"
            with connection:
                try:
                    while data := connection.recv(64):
                        connection.sendall(data)
                        end = "FIN after data"
                except ConnectionResetError:
                    end = "RST"
            seen.append((source, end))

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the end
                while True:
                    connection, (source, _) = listener.accept()
                    threads.append(threading.Thread(target=talk, args=(connection, source), daemon=True))
                    threads[-1].start()

        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
            accepting = threading.Thread(target=accept, daemon=True)
            accepting.start()
            outcome = self.load(listener.getsockname()[1], **settings)  # type: ignore[arg-type]
            listener.shutdown(socket.SHUT_RDWR)  # so that accept returns
            accepting.join(10)
        for thread in threads:
            thread.join(10)
        return outcome, [one for one in seen if one != ("127.0.0.1", "FIN")]

    def test_each_message_has_a_connection_of_its_own(self) -> None:
        for churn, end in ((Churn.FIN, "FIN after data"), (Churn.RESET, "RST")):
            outcome, seen = self.watch(churn=churn, count=60, connections=5)
            self.assert_good(outcome)
            self.assertEqual((outcome.messages, outcome.sent), (60, 60 * 64))
            self.assertEqual([one for _, one in seen], 60 * [end])
            self.assertEqual((outcome.connect_time.count, outcome.first_byte_time.count), (60, 60))
            self.assertGreaterEqual(outcome.first_byte_time.percentile(50), outcome.connect_time.percentile(50))

    def test_half_close(self) -> None:
        """It is over only after the peer's FIN."""
        outcome, seen = self.watch(churn=Churn.FIN, half_close=True, count=30)
        self.assert_good(outcome)
        self.assertEqual([one for _, one in seen], 30 * ["FIN after data"])

    def test_ports_do_not_run_out(self) -> None:
        """L3: many loopback addresses have many ports each (on Linux, where all of 127.0.0.0/8 is there)."""
        if not sys.platform.startswith("linux"):
            self.skipTest("there is one loopback address")
        _, seen = self.watch(churn=Churn.RESET, count=address.SOURCE_ADDRESSES + 20)
        self.assertEqual(len({source for source, _ in seen}), address.SOURCE_ADDRESSES)

    def test_for_some_time(self) -> None:
        outcome, seen = self.watch(churn=Churn.FIN, warmup=0.1, duration=0.2, idle=2)
        self.assert_good(outcome)
        self.assertGreater(len(seen), outcome.messages)
        self.assertTrue(0.2 <= outcome.elapsed < 10, outcome.elapsed)

    def test_on_schedule(self) -> None:
        outcome, _ = self.watch(churn=Churn.FIN, rate=200.0, count=50)
        self.assert_good(outcome)
        self.assertEqual((outcome.messages, outcome.response_time.count, outcome.unsent), (50, 50, 0))
        outcome, _ = self.watch(churn=Churn.FIN, rate=200.0, duration=0.2)
        self.assert_good(outcome)

    def test_more_connections_than_there_are_messages_for(self) -> None:
        """Those whose turn does not come have none that could be stuck."""
        outcome, _ = self.watch(churn=Churn.FIN, rate=10.0, connections=50, count=5)
        self.assert_good(outcome)
        self.assertEqual(outcome.messages, 5)

    def test_a_rate_at_which_a_turn_comes_late(self) -> None:
        """Connections on which nothing is due are not given up, however long that is."""
        outcome, _ = self.watch(rate=4.0, connections=20, count=5, patience=0.5)
        self.assert_good(outcome)
        self.assertEqual(outcome.messages, 5)


class FailingTests(LoadCase):
    @contextlib.contextmanager
    def closing_every_third(self) -> Iterator[int]:
        """Of each three connections after the first, which is a probe, one is closed without a word."""

        def serve() -> None:
            with contextlib.suppress(OSError):  # the listener was closed: the end
                count = 0
                while True:
                    connection, _ = listener.accept()
                    count += 1
                    with connection, contextlib.suppress(ConnectionError):
                        if count % 3 != 2 and (data := connection.recv(64)):
                            connection.sendall(data)
                            connection.recv(1)

        with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            yield listener.getsockname()[1]
            listener.shutdown(socket.SHUT_RDWR)  # so that accept returns
            thread.join(10)

    def test_some_fail(self) -> None:
        with self.closing_every_third() as port:
            outcome = self.load(port, churn=Churn.FIN, connections=1, count=9)
        self.assertGreater(outcome.errors.total(), 2)
        self.assertGreaterEqual(outcome.messages, 9 - outcome.errors.total())
        self.assertFalse(outcome.interrupted)

    def test_harm(self) -> None:
        """L2."""
        for mutant, half_close, kind in ((sends_only_its_own, False, "corrupt"), (forgets_the_tail, True, "lost")):
            with serving(mutant) as connect:
                outcome = self.load(port_of(connect), churn=Churn.FIN, count=4, half_close=half_close)
            self.assertEqual((set(outcome.findings), outcome.findings[kind]), ({kind}, 4))

    def test_greetings(self) -> None:
        for mutant, greeting in ((greets, None), (greets, b"Hello\n"), (honest, None), (flips_a_bit, b"")):
            with serving(mutant) as connect:
                self.assert_good(
                    self.load(port_of(connect), churn=Churn.FIN, count=300, connections=10, greeting=greeting)
                )

    def test_the_service_goes_away(self) -> None:
        """L1: no hang, and what fails is counted."""

        def go_away() -> None:
            connection, _ = listener.accept()  # the probe
            connection.close()
            for _ in range(5):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(connection.recv(64))
                    connection.recv(1)
            listener.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            thread = threading.Thread(target=go_away, daemon=True)
            thread.start()
            outcome = self.load(port, churn=Churn.FIN, connections=1, duration=60.0, patience=2.0)
            thread.join(10)
        self.assertEqual(outcome.messages, 5)
        self.assertGreater(outcome.errors["ECONNREFUSED"], 0)
        self.assertLess(outcome.elapsed, 30)


class LimitTests(LoadCase):
    def limited(self, code: int) -> Callable[[address.Address], socket.socket]:
        """Makes sockets, until there are none left after the third."""
        made: list[int] = []
        make = address.Address.make_socket

        def make_socket(where: address.Address) -> socket.socket:
            made.append(1)
            if 3 < len(made) < 6:
                raise OSError(code, "none left")
            return make(where)

        return make_socket

    def test_nothing_left_to_make_connections_with(self) -> None:
        """L3: that is no failure of the service; it goes on when there is something again."""
        for code, name in ((24, "descriptors"), (99, "ports"), (105, "memory")):
            self.patch(address.Address, "make_socket", self.limited(code))
            with serving(honest) as connect:
                outcome = self.load(port_of(connect), churn=Churn.FIN, connections=1, count=4)
            self.assertEqual((dict(outcome.own_limits), dict(outcome.errors)), ({name: 2}, {}))
            self.assertEqual((outcome.messages, outcome.sent), (4, outcome.acked))
