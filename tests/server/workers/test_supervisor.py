import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from echoproto.server.workers import messages
from echoproto.server.workers.supervisor import (
    MAX_DELAY_SECONDS,
    MIN_DELAY_SECONDS,
    STABLE_SECONDS,
    STOP_DELAY_SECONDS,
    Supervisor,
    WorkerProcess,
)
from echoproto.server.workers.worker import FIRST_SOCKET, ORDERS, REPORTS, SIGNALS
from tests.support.logs import record_log


@define
class Process:
    """What Twisted gives to a protocol of a process."""

    protocol: WorkerProcess
    executable: str
    command: list[str]
    environment: dict[str, str]
    descriptors: dict[int, Any]
    written: bytes = b""
    signals: list[str] = field(factory=list)
    exited: bool = False

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        assert descriptor == ORDERS
        self.written += data

    def signalProcess(self, name: str) -> None:
        if self.exited:
            raise ProcessExitedAlready
        self.signals.append(name)

    def end(self, reason: Exception) -> None:
        for descriptor in (1, 2, REPORTS):
            self.protocol.childConnectionLost(descriptor)
        self.protocol.processEnded(Failure(reason))


@implementer(IReactorProcess)
class Processes(Clock):
    """A reactor that starts processes, and knows which; ``full`` as when the system has no room for another."""

    full = False

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Process] = []
        self.held: set[int] = set()

    def spawnProcess(  # type: ignore[override]
        self, protocol: Any, executable: str, args: list[str], env: dict[str, str], childFDs: dict[int, Any]
    ) -> Process:
        if self.full:
            raise BlockingIOError("Resource temporarily unavailable")
        self.held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        process = Process(protocol, executable, args, env, childFDs)
        self.started.append(process)
        protocol.makeConnection(process)
        return process


class Recorder:
    """Knows what workers need, and what was told of them."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def prepare(self, worker: int) -> tuple[bytes, list[int]]:
        self.told.append(("starting", worker))
        return b"start %d\n" % worker, [70, 80 + worker]

    def received(self, process: WorkerProcess, kind: str, content: str) -> None:
        self.told.append((process.worker, kind, content))

    def printed(self, worker: int, text: str) -> None:
        self.told.append((worker, text))

    def vacant(self, worker: int, seconds: float) -> None:
        self.told.append(("vacant", worker, round(seconds, 3)))

    def ended(self, process: WorkerProcess) -> None:
        self.told.append(("ended", process.worker))


class SupervisorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Processes()
        self.observer = Recorder()
        self.logged = record_log(self)
        self.supervisor = Supervisor(self.reactor, 2, self.observer)
        self.supervisor.stop_seconds = 12

    def start(self) -> list[Process]:
        self.supervisor.start()
        self.observer.told.clear()
        return self.reactor.started

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.logged]

    def test_what_a_worker_is_handed(self) -> None:
        self.supervisor.start()
        first, second = self.reactor.started
        self.assertEqual(self.observer.told, [("starting", 0), ("starting", 1)])
        self.assertEqual((first.written, second.written), (b"start 0\n", b"start 1\n"))
        self.assertEqual(second.executable, sys.executable)
        self.assertEqual(second.command, [sys.executable, "-P", "-m", "echoproto.server.workers.worker", "1"])
        self.assertEqual(second.environment["PYTHONPATH"].split(os.pathsep), list(filter(None, sys.path)))
        pipes = {ORDERS: "w", 1: "r", 2: "r", REPORTS: "r"}
        self.assertEqual(second.descriptors, {**pipes, FIRST_SOCKET: 70, FIRST_SOCKET + 1: 81})
        self.assertEqual(self.supervisor.processes, {first.protocol, second.protocol})

    def test_times(self) -> None:
        """O11: five seconds are a long life, as the guide says; ten restarts in a row take 100 seconds."""
        self.assertEqual((STABLE_SECONDS, MAX_DELAY_SECONDS), (5, 60))
        self.assertEqual(sum(MIN_DELAY_SECONDS * 2**n for n in range(10)) // 1, 102)

    def test_signals_are_held_back_from_an_interpreter_that_starts(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.assertEqual(SIGNALS & before, set())
        self.start()
        self.assertLessEqual(SIGNALS, self.reactor.held)
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, ()), before)

    def test_one_that_has_served_is_replaced_at_once(self) -> None:
        """O11."""
        started = self.start()
        self.reactor.advance(STABLE_SECONDS)
        started[1].end(ProcessTerminated(signal=signal.SIGKILL))
        self.assertEqual(self.observer.told, [("vacant", 1, 0), ("ended", 1)])
        self.assertEqual(self.lines(), ["Worker 1 has ended: killed by SIGKILL; a new one starts in 0.0 s"])
        self.assertEqual(self.supervisor.processes, {started[0].protocol})
        self.reactor.advance(0)
        self.assertEqual([process.written for process in started[2:]], [b"start 1\n"])

    def test_a_signal_without_a_name(self) -> None:
        """O11: a real-time signal kills as well as others do."""
        started = self.start()
        started[1].end(ProcessTerminated(signal=35))
        self.assertEqual(self.observer.told, [("vacant", 1, 0.1), ("ended", 1)])
        self.assertEqual(self.lines(), ["Worker 1 has ended: killed by signal 35; a new one starts in 0.1 s"])

    def storm(self, end: Callable[[Process], None], at_once: float) -> None:
        """Have a worker end as soon as it was started, again and again, and then after a while."""
        started = self.start()
        delays = []
        for _ in range(14):
            count = len(started)
            end(started[-1])
            delays.append(self.delay())
            self.reactor.advance(delays[-1] - 0.01)
            self.assertEqual(len(started), count)
            self.reactor.advance(0.02)
            self.assertEqual(len(started), count + 1)
        self.assertEqual(delays[:4], [0.1, 0.2, 0.4, 0.8])
        self.assertEqual(delays[-2:], [MAX_DELAY_SECONDS] * 2)
        self.assertEqual([process.written for process in started].count(b"start 0\n"), 1)
        self.reactor.advance(STABLE_SECONDS)
        end(started[-1])
        self.assertEqual(self.delay(), at_once)
        self.reactor.advance(at_once)
        end(started[-1])
        self.assertEqual(self.delay(), 0.1)

    def delay(self) -> float:
        """After how many seconds the next one starts."""
        *_, (_, worker, seconds) = [each for each in self.observer.told if each[0] == "vacant"]
        self.assertEqual(worker, 1)
        assert isinstance(seconds, int | float)
        return seconds

    def test_a_storm_backs_off(self) -> None:
        """O11: one that ends at once is replaced after twice as long each time; the other is left alone."""
        self.storm(lambda process: process.end(ProcessTerminated(exitCode=1)), at_once=0)

    def test_a_storm_of_renewals_backs_off(self) -> None:
        """O11: in the same way, and whether the former ones have ended by then or not."""
        self.storm(lambda process: self.supervisor.replace(process.protocol), at_once=STOP_DELAY_SECONDS)

    def test_nothing_is_left_of_former_ones(self) -> None:
        """However often workers are renewed."""
        started = self.start()
        for _ in range(3):
            self.reactor.advance(STABLE_SECONDS)
            self.supervisor.replace(started[-1].protocol)
            self.reactor.advance(STOP_DELAY_SECONDS)
            started[-2].end(ProcessDone(0))
        self.assertEqual(len(started), 5)
        self.assertEqual(self.supervisor.processes, {started[0].protocol, started[-1].protocol})
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_is_needed_before_its_turn(self) -> None:
        """O11: is started at once, and only once."""
        started = self.start()
        for _ in range(2):
            started[-1].end(ProcessTerminated(exitCode=1))
            self.reactor.advance(0.1)
        self.assertEqual(len(started), 3)
        for worker in (0, 1, 1):
            self.supervisor.start_now(worker)
        self.assertEqual([call.getTime() for call in self.reactor.getDelayedCalls()], [self.reactor.seconds()])
        self.reactor.advance(0)
        self.supervisor.start_now(1)
        self.assertEqual(len(started), 4)
        self.reactor.advance(MAX_DELAY_SECONDS)
        self.assertEqual(len(started), 4)

    def test_no_room_for_a_process(self) -> None:
        """O11: is tried again, as after any other end."""
        self.reactor.full = True
        self.start()
        self.assertEqual(self.supervisor.processes, set())
        self.reactor.full = False
        self.reactor.advance(0.1)
        self.assertEqual(len(self.reactor.started), 2)
        self.assertIn("ended: Resource temporarily unavailable; a new one starts in 0.1 s", self.lines()[0])

    def test_stop(self) -> None:
        """O7: each is asked to, and killed if it takes longer than it may."""
        first, second = self.start()
        ended = self.supervisor.stop()
        self.assertEqual((first.signals, second.signals), (["TERM"], ["TERM"]))
        first.end(ProcessDone(0))
        self.assertNoResult(ended)
        self.reactor.advance(12)
        self.assertEqual(second.signals, ["TERM", "KILL"])
        second.end(ProcessTerminated(signal=signal.SIGKILL))
        self.successResultOf(ended)
        self.assertEqual(self.observer.told, [("ended", 0), ("ended", 1)])
        self.assertEqual(self.lines(), ["Worker 1 has ended: killed by SIGKILL"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_while_one_is_awaited(self) -> None:
        """O7: it is not replaced any more."""
        started = self.start()
        for process in started[:2]:
            process.end(ProcessDone(0))
        self.assertIn("Worker 0 has ended: exit status 0; a new one starts in 0.1 s", self.lines())
        self.successResultOf(self.supervisor.stop())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_is_about_to_end(self) -> None:
        """O11: its successor starts soon, and is not affected by its end."""
        started = self.start()
        self.reactor.advance(STABLE_SECONDS)
        self.supervisor.replace(started[1].protocol)
        self.reactor.advance(STOP_DELAY_SECONDS)
        self.assertEqual([process.written for process in started[2:]], [b"start 1\n"])
        self.assertEqual({process.protocol for process in started}, self.supervisor.processes)
        self.supervisor.replace(started[1].protocol)
        started[1].end(ProcessDone(0))
        self.reactor.advance(MAX_DELAY_SECONDS)
        self.assertEqual(self.observer.told, [("vacant", 1, 0.1), ("starting", 1), ("ended", 1)])
        stops, ended = self.logged
        self.assertEqual(formatEvent(stops), "Worker 1 stops; a new one starts in 0.1 s")
        self.assertEqual(formatEvent(ended), "The former worker 1 has ended: exit status 0")
        self.assertEqual((stops["event"], ended["event"], ended["former"]), ("worker-stops", "worker-ended", True))
        self.assertEqual(ended["log_level"], LogLevel.info)
        started[2].end(ProcessTerminated(signal=signal.SIGKILL))
        self.assertEqual(self.delay(), 0)

    def test_one_that_takes_too_long_to_end(self) -> None:
        """O7: is killed, and its successor is not."""
        started = self.start()
        self.supervisor.replace(started[1].protocol)
        self.reactor.advance(12)
        self.assertEqual([process.signals for process in started], [[], ["KILL"], []])
        started[1].end(ProcessTerminated(signal=signal.SIGKILL))
        self.assertEqual(self.logged[-1]["log_level"], LogLevel.warn)

    def test_stop_while_one_is_about_to_end(self) -> None:
        """O7: it is waited for, too, and killed when its time is over; nobody else is started."""
        started = self.start()
        self.supervisor.replace(started[1].protocol)
        self.reactor.advance(1)
        ended = self.supervisor.stop()
        self.supervisor.replace(started[0].protocol)
        self.assertEqual(len(started), 3)
        for process in (started[0], started[2]):
            process.end(ProcessDone(0))
        self.assertNoResult(ended)
        self.reactor.advance(11)
        self.assertEqual(started[1].signals, ["KILL"])
        started[1].end(ProcessTerminated(signal=signal.SIGKILL))
        self.successResultOf(ended)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stop_of_all_that_one_hears_of_first(self) -> None:
        """O7: as when SIGTERM is sent to all processes; no successor is started, only to be stopped."""
        started = self.start()
        self.reactor.advance(STABLE_SECONDS)
        self.supervisor.replace(started[1].protocol)
        self.reactor.advance(STOP_DELAY_SECONDS * 0.9)
        stopped = self.supervisor.stop()
        for process in started:
            process.end(ProcessDone(0))
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(started), 2)

    def test_orders(self) -> None:
        """Each is carried out when it is answered, in their order."""
        first, _ = self.start()
        settings, count = first.protocol.order(messages.SETTINGS, {"a": 1}), first.protocol.order(messages.COUNT)
        self.assertEqual(first.written, b'start 0\nsettings {"a": 1}\ncount null\n')
        self.assertNoResult(settings)
        first.protocol.childDataReceived(REPORTS, messages.line(messages.DONE))
        self.successResultOf(settings)
        self.assertNoResult(count)
        first.protocol.childDataReceived(REPORTS, messages.line(messages.DONE))
        self.successResultOf(count)
        self.assertEqual(self.observer.told, [])

    def test_an_order_that_is_waited_for_no_more(self) -> None:
        """Its answer is not taken for that of the next."""
        first, _ = self.start()
        count, abort = first.protocol.order(messages.COUNT), first.protocol.order(messages.ABORT)
        count.cancel()
        self.failureResultOf(count, CancelledError)
        first.protocol.childDataReceived(REPORTS, messages.line(messages.DONE))
        self.assertNoResult(abort)

    def test_orders_to_one_that_ends(self) -> None:
        """Nobody waits for them any more; what it had counted is added up before."""
        first, _ = self.start()
        order = first.protocol.order(messages.COUNT)
        told = order.addCallback(lambda _: list(self.observer.told))
        first.end(ProcessDone(0))
        self.assertEqual(self.successResultOf(told), [("vacant", 0, 0.1), ("ended", 0)])

    def test_orders_to_one_that_is_about_to_end(self) -> None:
        """Twisted knows the pipe no more, then."""
        first, _ = self.start()
        first.protocol.childConnectionLost(ORDERS)
        self.successResultOf(first.protocol.order(messages.COUNT))
        self.assertEqual(first.written, b"start 0\n")

    def test_a_signal_to_one_that_has_ended(self) -> None:
        """Twisted has waited for it, and has yet to read what it had said."""
        first, _ = self.start()
        first.exited = True
        stopped = self.supervisor.stop()
        self.reactor.advance(self.supervisor.stop_seconds)
        self.assertNoResult(stopped)
        self.assertEqual(first.signals, [])

    def test_two_stops(self) -> None:
        started = self.start()
        stops = [self.supervisor.stop(), self.supervisor.stop()]
        for process in started:
            process.end(ProcessDone(0))
        for stopped in stops:
            self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_what_it_says(self) -> None:
        _, second = self.start()
        second.protocol.childDataReceived(REPORTS, b"ready 12\ncoun")
        second.protocol.childDataReceived(REPORTS, b"ters {}\n")
        second.protocol.childDataReceived(2, b"first\nsec")
        second.protocol.childDataReceived(1, b"\xff\n")
        second.end(ProcessTerminated(exitCode=3))
        self.assertEqual(
            self.observer.told,
            [
                *((1, "ready", "12"), (1, "counters", "{}"), (1, "first"), (1, "\\xff"), (1, "sec")),
                *(("vacant", 1, 0.1), ("ended", 1)),
            ],
        )
        self.assertIn("exit status 3", self.lines()[0])
