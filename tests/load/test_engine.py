import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from echoproto.errors import EchoError
from echoproto.host.serving import free_port
from echoproto.load.client import streams
from echoproto.load.client.streamload import StreamLoad
from echoproto.load.engine import run
from echoproto.load.errors import GreetingFailed, Unreachable
from echoproto.load.outcome import Outcome
from echoproto.load.summary import summarise
from echoproto.load.workload import Arrivals, Target, Transport
from tests.load.client.test_poller import pollers
from tests.support.clients import reset
from tests.support.loads import PATIENCE, LoadCase, at_once, port_of, workload
from tests.support.mutants import (
    MUTANTS,
    Mutant,
    closes_early,
    cuts_at_nul,
    drops_a_chunk,
    drops_the_last_byte,
    duplicates_a_chunk,
    flips_a_bit,
    forgets_the_tail,
    greets,
    honest,
    says_goodbye,
    sends_only_its_own,
    serving,
    swaps_two_chunks,
)

LATE = 10.0
"""Seconds that a run of less than one may take on a machine that is busy with something else."""


@contextlib.contextmanager
def accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve in a thread, one connection after another; gives the port."""

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was closed: the end
            while True:
                serve(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)  # so that accept returns
        thread.join(10)


def silent(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Takes it all, and gives nothing back."""
    for _ in chunks:
        yield b""


def welcomes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield b"Welcome\r\n"
    yield from chunks


def in_turn(*mutants: Mutant) -> Mutant:
    """One for each connection; the first of these is that which asks for the port."""
    turns = iter(mutants)

    def mutant(chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from next(turns)(chunks)

    return mutant


class MutantCase(LoadCase):
    def try_on(self, mutant: Mutant, **settings: object) -> Outcome:
        with serving(mutant) as connect:
            return self.load(port_of(connect), **settings)  # type: ignore[arg-type]


class HonestTests(MutantCase):
    def test_closed_loop(self) -> None:
        outcome = self.try_on(honest, duration=0.4)
        self.assert_good(outcome)
        self.assertEqual((outcome.connected, outcome.connect_time.count), (2, 2))
        self.assertTrue(0.4 <= outcome.elapsed < LATE, outcome.elapsed)
        self.assertTrue(0 < outcome.cpu < LATE, outcome.cpu)
        self.assertEqual((outcome.response_time.count, outcome.lag.count, outcome.unsent), (0, 0, 0))
        self.assertIsNone(outcome.server_cpu)

    def test_so_many_messages(self) -> None:
        for settings in ({}, {"window": 3}, {"half_close": True}, {"warmup": 0.1}, {"connections": 7}):
            outcome = self.try_on(honest, count=501, **settings)
            self.assert_good(outcome)
            self.assertEqual(outcome.messages, 501, settings)

    def test_small_and_large_ones_many_in_flight(self) -> None:
        outcome = self.try_on(honest, smallest=1, largest=100_000, window=20, count=300, half_close=True)
        self.assert_good(outcome)

    def test_messages_larger_than_all_buffers(self) -> None:
        """Which flow only if what comes back is read while the rest is sent."""
        outcome = self.try_on(honest, smallest=1 << 23, largest=1 << 23, window=2, count=4)
        self.assert_good(outcome)
        self.assertEqual(outcome.sent, 4 << 23)

    def test_warm_up_is_checked_but_not_measured(self) -> None:
        outcome = self.try_on(honest, warmup=0.2, duration=0.2)
        self.assert_good(outcome)
        self.assertGreater(outcome.warmup_messages, 0)
        self.assertEqual(outcome.sent, 64 * (outcome.messages + outcome.warmup_messages))
        outcome = self.try_on(flips_a_bit, warmup=60.0, duration=0.2)  # over with the last connection
        self.assertEqual((outcome.messages, dict(outcome.findings)), (0, {"corrupt": 2}))

    def test_another_process_sends_other_bytes(self) -> None:
        seen: list[bytes] = []

        def listens(chunks: Iterator[bytes]) -> Iterator[bytes]:
            for chunk in chunks:
                seen.append(chunk)
                yield chunk

        for first in (0, 2):
            with serving(listens) as connect:
                self.assert_good(self.load(port_of(connect), first=first, count=2))
        self.assertEqual(len(set(seen)), 4)

    def test_progress_and_time_line(self) -> None:
        seen: list[tuple[int, int, float]] = []
        with serving(honest) as connect:
            outcome = run(
                workload(port_of(connect), duration=1.1),
                progress=lambda o: seen.append((o.messages, o.acked, o.elapsed)),
            )
        self.assert_good(outcome)
        self.assertTrue(2 <= len(seen) <= 25, len(seen))
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(seen[-1][0], 0)
        self.assertLessEqual({0, 1}, set(outcome.seconds))
        self.assertGreater(outcome.seconds[0].echoes, 0)

    def test_on_every_poller(self) -> None:
        for maker in pollers():
            self.patch(streams, "make_poller", maker)
            for settings in (
                {"count": 50},
                {"window": 4, "smallest": 1 << 19, "largest": 1 << 19},
                {"rate": 300.0},
                {"idle": 3, "count": 50},
            ):
                self.assert_good(self.try_on(honest, half_close=True, **settings))


class HarmTests(MutantCase):
    """L2."""

    def test_each_is_caught_and_named(self) -> None:
        """L2: with messages in flight and a half-close, as what harms them is."""
        expected = {
            drops_the_last_byte: {"lost"},
            drops_a_chunk: {"lost"},
            duplicates_a_chunk: {"duplicated"},
            swaps_two_chunks: {"reordered"},
            flips_a_bit: {"corrupt"},
            cuts_at_nul: {"lost"},
            forgets_the_tail: {"lost"},
            says_goodbye: {"inserted"},
            sends_only_its_own: {"corrupt"},
        }
        settings = {"window": 8, "smallest": 300, "largest": 3000, "half_close": True, "count": 100}
        outcomes = at_once(*(partial(self.try_on, mutant, **settings) for mutant in expected))
        for outcome, (mutant, kinds) in zip(outcomes, expected.items(), strict=True):
            self.assertEqual(set(outcome.findings), kinds, mutant)
            self.assertEqual(outcome.findings.total(), 2, mutant)
            self.assertEqual(len(outcome.first_findings), 2)
            for words in outcome.first_findings:
                self.assertRegex(words, rf"^connection [01]: \d+ bytes? {min(kinds)} at offset \d+")

    def test_none_gets_through_one_message_at_a_time(self) -> None:
        """L2: though some can't be named so: what is held back until more comes is lost."""
        harmful = sorted(set(MUTANTS) - {greets, says_goodbye}, key=str)
        outcomes = at_once(*(partial(self.try_on, mutant, count=40, patience=PATIENCE) for mutant in harmful))
        for outcome, mutant in zip(outcomes, harmful, strict=True):
            self.assertTrue(outcome.findings or outcome.errors, mutant)
            self.assertTrue(outcome.lost or outcome.unknown or outcome.findings["duplicated"], mutant)

    def test_the_first_wrong_offset(self) -> None:
        outcome = self.try_on(flips_a_bit, smallest=100, largest=100)
        self.assertEqual(min(outcome.first_findings), "connection 0: 1 byte corrupt at offset 399")

    def test_a_connection_with_harm_is_closed_and_the_others_go_on(self) -> None:
        outcome = self.try_on(in_turn(honest, flips_a_bit, honest, honest), connections=3, count=900)
        self.assertEqual((dict(outcome.findings), dict(outcome.errors)), ({"corrupt": 1}, {}))
        self.assertGreater(outcome.messages, 500)


class GreetingTests(MutantCase):
    def test_hello_or_nothing(self) -> None:
        for mutant in (honest, greets):
            for size in (1, 64):
                self.assert_good(self.try_on(mutant, connections=20, smallest=size, largest=size, count=400))

    def test_one_that_was_given(self) -> None:
        outcome = self.try_on(welcomes, greeting=b"Welcome\r\n")
        self.assert_good(outcome)

    def test_one_that_is_not_known(self) -> None:
        for greeting, words in (
            (None, r"unknown greeting 'Welcome\r\n'"),
            (b"", r"unknown greeting 'Welcome\r\n'"),
            (b"Good day", r"greeting 'Welcome\r\n' in place of 'Good day'"),
        ):
            error = self.assertRaises(GreetingFailed, self.try_on, welcomes, greeting=greeting)
            self.assertIn(words, str(error))
            self.assertEqual(error.exit_status, 3)

    def test_one_that_does_not_come(self) -> None:
        error = self.assertRaises(GreetingFailed, self.try_on, honest, greeting=b"Hi", patience=0.2)
        self.assertIn("no greeting", str(error))


class OverTests(MutantCase):
    """Connections that end before their time."""

    def test_the_service_ends_them(self) -> None:
        """L1: the run is over with the last one; what should have come is lost, or unknown after a reset."""
        outcome = self.try_on(closes_early, duration=20.0, window=4)
        self.assertLess(outcome.elapsed, 10)
        self.assertEqual(outcome.errors.total(), 2)
        self.assertLessEqual(set(outcome.errors), {"end of stream", "ECONNRESET", "EPIPE"})
        self.assertGreater(outcome.lost + outcome.unknown, 0)

    def test_a_reset(self) -> None:
        """L1: what was in flight then need not have come back."""

        def serve(connection: socket.socket) -> None:
            connection.recv(64)
            reset(connection)

        with accepting(serve) as port:
            outcome = self.load(port, connections=1)
        self.assertEqual((dict(outcome.errors), outcome.lost, outcome.unknown), ({"ECONNRESET": 1}, 0, 64))

    def test_nothing_comes_any_more(self) -> None:
        """L1: no hang."""
        begun = time.monotonic()
        outcome = self.try_on(silent, duration=20.0, patience=PATIENCE)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual((outcome.lost, dict(outcome.errors)), (128, {"no progress": 2}))
        self.assertEqual(dict(outcome.findings), {"lost": 2})

    def test_the_end_does_not_come(self) -> None:
        """All is back, but no FIN."""
        held: list[socket.socket] = []

        def serve(connection: socket.socket) -> None:
            held.append(connection)
            connection.sendall(connection.recv(64))

        with accepting(serve) as port:
            outcome = self.load(port, connections=1, count=1, half_close=True, patience=2.0)
        for connection in held:
            connection.close()
        self.assertEqual((outcome.lost, dict(outcome.errors)), (0, {"no progress": 1}))

    def test_idle_ones_are_accepted_before_measuring(self) -> None:
        """They are not the last in the queue: what it takes to accept them is none of what is measured."""
        threads: list[threading.Thread] = []
        sent: set[int] = set()

        def talk(connection: socket.socket, number: int) -> None:
            with connection, contextlib.suppress(ConnectionError):
                while data := connection.recv(64):
                    sent.add(number)
                    connection.sendall(data)

        def serve(connection: socket.socket) -> None:
            threads.append(threading.Thread(target=talk, args=(connection, len(threads)), daemon=True))
            threads[-1].start()

        with accepting(serve) as port:
            self.assert_good(self.load(port, connections=3, idle=4, count=30, greeting=b""))
        for thread in threads:
            thread.join(10)
        self.assertEqual(sent, {0, 5, 6})

    def test_idle_ones_are_noticed_when_they_are_closed(self) -> None:
        threads: list[threading.Thread] = []
        begun = threading.Event()

        def talk(connection: socket.socket) -> None:
            with connection, contextlib.suppress(ConnectionError):
                connection.sendall(b"Hello\n")
                while data := connection.recv(64):
                    begun.set()
                    connection.sendall(data)

        def be_idle(connection: socket.socket) -> None:
            with connection:
                connection.sendall(b"Hello\n")
                begun.wait(LATE)

        def serve(connection: socket.socket) -> None:
            target = be_idle if threads else talk
            threads.append(threading.Thread(target=target, args=(connection,), daemon=True))
            threads[-1].start()

        noticed: list[int] = []
        with accepting(serve) as port:
            outcome = run(
                workload(port, connections=1, idle=2, duration=60.0),
                progress=lambda o: noticed.append(o.errors.total()),
                interrupted=lambda: noticed[-1:] == [2],
            )
        for thread in threads:
            thread.join(10)
        self.assertEqual((outcome.connected, dict(outcome.errors)), (3, {"idle connection closed": 2}))
        self.assertEqual((outcome.interrupted, outcome.lost), (True, 0))
        self.assertGreater(outcome.sent, 0)

    def test_interrupted(self) -> None:
        """L6: at once, and what is in flight is unknown."""
        asked: list[int] = []

        def interrupted() -> bool:
            asked.append(1)
            return len(asked) >= 3

        for mutant in (honest, silent):
            asked.clear()
            begun = time.monotonic()
            with serving(mutant) as connect:
                outcome = run(workload(port_of(connect), duration=60.0), interrupted=interrupted)
            self.assertLess(time.monotonic() - begun, 10)
            self.assert_adds_up(outcome)
            self.assertTrue(outcome.interrupted)
            self.assertEqual((outcome.lost, dict(outcome.findings), dict(outcome.errors)), (0, {}, {}))
            self.assertTrue(0 < outcome.elapsed < 10)

    def test_interrupted_before_it_measures(self) -> None:
        """L6: in the warm-up, or while it waits for a greeting."""
        for settings in ({"warmup": 60.0}, {"greeting": b"Hi"}):
            with serving(honest) as connect:
                outcome = run(workload(port_of(connect), **settings), interrupted=lambda: True)
            self.assertEqual((outcome.interrupted, outcome.messages, dict(outcome.errors)), (True, 0, {}))


class UnreachableTests(LoadCase):
    def test_nobody_listens(self) -> None:
        port = free_port()
        for target in (
            Target(Transport.TCP, "127.0.0.1", port),
            Target(Transport.TLS, "127.0.0.1", port),
            Target(Transport.UDP, "127.0.0.1", port),
            Target(Transport.UNIX, path="/nonexistent/echo"),
        ):
            error = self.assertRaises(Unreachable, self.load, port, target=target, duration=20.0)
            self.assertEqual(error.exit_status, 3)
            self.assertTrue(str(error).startswith(f"{target}: "), error)
            self.assertTrue(str(error).endswith(": is the service running there?"), error)

    def test_no_such_name(self) -> None:
        def fails(*arguments: object, **options: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(socket, "getaddrinfo", fails)
        error = self.assertRaises(Unreachable, self.load, 1)
        self.assertIn("Name or service not known", str(error))

    def test_the_second_address_is_tried(self) -> None:
        """As where ``localhost`` is ::1 first, and the service listens on 127.0.0.1."""
        with serving(honest) as connect:
            port = port_of(connect)
            wrong = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", port))
            right = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            self.patch(socket, "getaddrinfo", lambda *arguments, **options: [wrong, right])
            self.assert_good(self.load(port))

    def test_it_accepts_and_closes(self) -> None:
        with accepting(socket.socket.close) as port:
            error = self.assertRaises(EchoError, self.load, port, greeting=b"Hi")
        self.assertIn("end of stream", str(error))


class RateTests(MutantCase):
    def test_uniform_and_poisson(self) -> None:
        for arrivals in Arrivals:
            outcome = self.try_on(honest, rate=500.0, arrivals=arrivals, duration=0.4, window=2, warmup=0.1)
            self.assert_good(outcome)
            self.assertEqual((outcome.response_time.count, outcome.lag.count), (outcome.messages, outcome.messages))
            self.assertTrue(130 < outcome.messages + outcome.unsent < 280, outcome)
            if arrivals is Arrivals.UNIFORM:
                self.assertIn(outcome.messages + outcome.unsent, (200, 201))
            self.assertGreaterEqual(outcome.response_time.percentile(50), outcome.service_time.percentile(50))

    def test_so_many_messages(self) -> None:
        for settings in ({}, {"half_close": True}):
            outcome = self.try_on(honest, rate=1000.0, count=100, **settings)
            self.assert_good(outcome)
            self.assertEqual((outcome.messages, outcome.unsent), (100, 0))
            self.assertTrue(0.05 < outcome.elapsed < LATE, outcome.elapsed)

    def test_what_could_not_be_sent(self) -> None:
        """Two are in flight for ever; others wait for their turn until the time is over."""
        outcome = self.try_on(silent, rate=100.0, duration=0.3, patience=PATIENCE)
        self.assertTrue(20 <= outcome.unsent <= 30, outcome.unsent)
        self.assertEqual((outcome.lost, dict(outcome.errors)), (128, {"no progress": 2}))

    def test_more_than_it_can_send(self) -> None:
        """L3: it goes on receiving; its lag shows whose limit it is, and the service is blamed for nothing."""
        for rate in (3e6, 1e12):
            outcome = self.try_on(honest, rate=rate, duration=0.5)
            self.assert_good(outcome)
            self.assertGreater(outcome.unsent, 1000)
            self.assertTrue(summarise(workload(1, rate=rate), outcome).client_bound)

    def test_held_up_itself(self) -> None:
        """What has come while it could not look is not taken for lost."""
        turn = StreamLoad.turn
        held_up: list[bool] = []

        def turn_and_sleep(load: StreamLoad, until: int) -> None:
            turn(load, until)
            if load.last and not held_up:
                held_up.append(True)
                time.sleep(PATIENCE + 0.2)

        self.patch(StreamLoad, "turn", turn_and_sleep)
        self.assert_good(self.try_on(honest, duration=0.3, patience=PATIENCE))
        self.assertTrue(held_up)

    def test_messages_of_a_connection_that_fails_are_for_the_others(self) -> None:
        outcome = self.try_on(in_turn(honest, closes_early, honest), rate=200.0, count=100)
        self.assertEqual(outcome.errors.total(), 1)
        self.assertEqual(outcome.sent, 64 * 100)
        self.assertGreater(outcome.messages, 90)

    def test_all_connections_fail(self) -> None:
        outcome = self.try_on(closes_early, rate=200.0, count=100)
        self.assertEqual(outcome.errors.total(), 2)
        self.assertEqual(outcome.messages + outcome.unsent + (outcome.lost + outcome.unknown) // 64, 100)

    def test_a_stall_is_not_left_out(self) -> None:
        """
        L4: a service that stops for a third of the time makes a third of what should have been sent then late.

        One message at a time, as it comes back, sees one late answer; that is coordinated omission.
        """
        stall, whole = 0.3, 0.9

        def stops() -> Mutant:
            until: list[float] = []

            def mutant(chunks: Iterator[bytes]) -> Iterator[bytes]:
                begun = time.monotonic()
                for chunk in chunks:
                    if not until and time.monotonic() > begun + stall:
                        until.append(time.monotonic() + stall)
                        time.sleep(stall)
                    yield chunk

            return mutant

        closed, opened = at_once(
            partial(self.try_on, stops(), connections=1, duration=whole),
            partial(self.try_on, stops(), connections=1, duration=whole, rate=200.0),
        )
        self.assertLess(closed.service_time.percentile(90), stall * 1e6 / 4)
        self.assertGreater(closed.service_time.percentile(100), stall * 1e6 * 0.9)
        self.assertGreater(opened.response_time.percentile(99), stall * 1e6 * 0.9)
        self.assertLess(opened.service_time.percentile(50), stall * 1e6 / 4)
        self.assertGreater(1 - self.share_below(opened, stall * 1e6 / 10), stall / whole / 2)

    def share_below(self, outcome: Outcome, us: float) -> float:
        return sum(outcome.response_time.percentile(percent) < us for percent in range(1, 101)) / 100
