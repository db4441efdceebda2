import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from unittest import mock

import psutil
from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import InternalError
from echoproto.host import signals as interruption_module
from echoproto.host.signals import Interruption
from echoproto.load.errors import ClientLimit, Unreachable
from echoproto.load.processes import ProgressReport, partition, run
from echoproto.load.workload import Target, Transport, Workload
from tests.load import engines

TARGET = Target(Transport.TCP, "127.0.0.1", 7)
PATIENCE = 30.0


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class InterruptedCase(SynchronousTestCase):
    def setUp(self) -> None:
        # A shell without job control has its background commands ignore SIGINT, and these tests may be such a one.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))


class ProcessesTests(InterruptedCase):
    def folder(self) -> str:
        """Where endless engines say that they have begun."""
        return self.enterContext(tempfile.TemporaryDirectory(prefix="load-"))

    def begun(self, folder: str, count: int) -> list[int]:
        """Wait until so many engines have begun, and give their process ids."""
        deadline = time.monotonic() + PATIENCE
        while len(pids := os.listdir(folder)) < count:
            if time.monotonic() > deadline:
                raise AssertionError("they have not begun")
        return [int(pid) for pid in pids]

    def when_begun(self, folder: str, count: int, act: Callable[[], None]) -> None:
        """Do something when they have, from another thread, while this one runs them."""

        def wait() -> None:
            self.begun(folder, count)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        self.addCleanup(thread.join)

    def endless(self, folder: str) -> Workload:
        return Workload(target=TARGET, connections=2, processes=2, greeting=os.fsencode(folder))

    def test_they_share_the_work(self) -> None:
        reports: list[ProgressReport] = []
        workload = Workload(target=TARGET, connections=5, count=11, processes=2)
        outcome = run(workload, interruption=Interruption(), watch=reports.append, engine=engines.counting)
        self.assertEqual((outcome.messages, outcome.connected, outcome.findings["lost"]), (11, 5, 2))
        self.assertEqual(sorted(outcome.first_findings), [f"connection {number}" for number in range(5)])
        self.assertEqual((outcome.service_time.count, outcome.seconds[0].times.count), (11, 11))
        self.assertEqual((len(outcome.errors), f"pid {os.getpid()}" in outcome.errors), (2, False))
        self.assertEqual((reports[-1].messages, reports[-1].errors, reports[-1].times.count), (11, 4, 11))

    def test_nobody_watches(self) -> None:
        workload = Workload(target=TARGET, count=3)
        self.assertEqual(run(workload, interruption=Interruption(), engine=engines.counting).messages, 3)

    def test_an_error_ends_all_of_them(self) -> None:
        folder = self.folder()
        error = self.assertRaises(
            Unreachable, run, self.endless(folder), interruption=Interruption(), engine=engines.failing
        )
        self.assertEqual(str(error), "nobody there")
        self.assertEqual([pid for pid in map(int, os.listdir(folder)) if is_running(pid)], [])

    def test_one_that_dies_is_a_limit_of_the_client(self) -> None:
        """L3"""
        error = self.assertRaises(
            ClientLimit, run, Workload(target=TARGET), interruption=Interruption(), engine=engines.dying
        )
        self.assertEqual((error.exit_status, "status -9" in str(error)), (4, True))

    def test_a_fault_of_its_own(self) -> None:
        """It is told as such, with where it was, and has no verdict's status; want of memory is a limit."""
        error = self.assertRaises(
            InternalError, run, Workload(target=TARGET), interruption=Interruption(), engine=engines.broken
        )
        self.assertRegex(str(error), r"^internal error at engines.py:\d+: RecursionError: too deep$")
        self.assertIn("in broken", error.trace)
        out_of_memory = Workload(target=TARGET, seed=1)
        limit = self.assertRaises(ClientLimit, run, out_of_memory, interruption=Interruption(), engine=engines.broken)
        self.assertIn("out of memory", str(limit))

    def test_more_than_memory_holds_is_not_begun(self) -> None:
        """L3"""
        workload = Workload(target=TARGET, largest=1 << 50)
        error = self.assertRaises(ClientLimit, run, workload, interruption=Interruption(), engine=engines.counting)
        self.assertIn("client limit: --connections 50 ", str(error))

    def test_interrupted(self) -> None:
        """L6: what they have found out until then is told."""
        folder = self.folder()
        with Interruption() as interruption:
            self.when_begun(folder, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
            outcome = run(self.endless(folder), interruption=interruption, engine=engines.endless)
        self.assertEqual((outcome.interrupted, outcome.messages), (True, 2))
        self.assertEqual([pid for pid in self.begun(folder, 2) if is_running(pid)], [])

    def test_the_second_interrupt_means_now(self) -> None:
        """L6"""
        self.patch(interruption_module, "SECOND_SIGNAL_SECONDS", 0.0)
        folder = self.folder()
        with Interruption() as interruption:

            def twice() -> None:
                os.kill(os.getpid(), signal.SIGINT)
                deadline = time.monotonic() + PATIENCE
                while not interruption.requested and time.monotonic() < deadline:
                    pass
                os.kill(os.getpid(), signal.SIGINT)

            self.when_begun(folder, 2, twice)
            with self.assertRaises(KeyboardInterrupt):
                run(self.endless(folder), interruption=interruption, engine=engines.stubborn)
        self.assertEqual([pid for pid in self.begun(folder, 2) if is_running(pid)], [])

    def test_they_end_when_nobody_is_there_any_more(self) -> None:
        """Killed, so that it could tell them nothing."""
        folder = self.folder()
        script = (
            "from echoproto.host.signals import Interruption\n"
            "from echoproto.load.processes import partition, run\n"
            "from echoproto.load.workload import Target, Transport, Workload\n"
            "from tests.load import engines\n"
            "if __name__ == '__main__':\n"
            "    target = Target(Transport.TCP, '127.0.0.1', 7)\n"
            f"    workload = Workload(target=target, processes=2, greeting={os.fsencode(folder)!r})\n"
            "    run(workload, interruption=Interruption(), engine=engines.endless)\n"
        )
        path = os.path.join(self.folder(), "starts_them.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with subprocess.Popen([sys.executable, path], env={**os.environ, "PYTHONPATH": search}) as process:
            pids = self.begun(folder, 2)
            process.kill()
        deadline = time.monotonic() + PATIENCE
        while running := [pid for pid in pids if is_running(pid)]:
            self.assertLess(time.monotonic(), deadline, running)


class InterruptionTests(InterruptedCase):
    def test_all_signals_that_end_a_process(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            with Interruption() as interruption:
                self.assertFalse(interruption.requested)
                signal.raise_signal(number)
                self.assertTrue(interruption.requested)
                interruption._requested_at -= 1
                self.assertRaises(KeyboardInterrupt, signal.raise_signal, number)
            self.assertEqual(signal.getsignal(number), before)

    def test_one_that_is_told_twice(self) -> None:
        """L6: as by timeout(1), also of two kinds: it means the same as one."""
        with Interruption() as interruption, mock.patch("time.monotonic") as clock:
            for seconds, number in ((10, signal.SIGTERM), (10, signal.SIGTERM), (10.99, signal.SIGINT)):
                clock.return_value = seconds
                signal.raise_signal(number)
            self.assertTrue(interruption.requested)
            clock.return_value = 11
            self.assertRaises(KeyboardInterrupt, signal.raise_signal, signal.SIGINT)

    def test_what_is_ignored_stays_so(self) -> None:
        """As under nohup."""
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_IGN))
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGHUP)
        self.assertFalse(interruption.requested)


counts = strategies.integers(10, 10_000)


class PartitionTests(SynchronousTestCase):
    @given(strategies.integers(1, 10), counts, strategies.integers(0, 9999), counts, strategies.floats(1, 1e6))
    def test_they_add_up(self, processes: int, connections: int, idle: int, count: int, rate: float) -> None:
        whole = Workload(
            target=TARGET, processes=processes, connections=connections, idle=idle, count=count, rate=rate, seed=5
        )
        parts = [share.workload for share in partition(whole)]
        self.assertEqual(len(parts), processes)
        for name in ("connections", "idle", "count"):
            values = [getattr(part, name) for part in parts]
            self.assertEqual(sum(values), getattr(whole, name))
            self.assertLessEqual(max(values) - min(values), 1)
        self.assertAlmostEqual(sum(part.rate or 0 for part in parts), rate, places=5)
        rest = {"processes": 1, "connections": 1, "idle": 0, "count": None, "rate": None}
        for part in parts:
            self.assertEqual(evolve(part, **rest), evolve(whole, **rest))  # type: ignore[arg-type]

    @given(strategies.integers(1, 10), counts)
    def test_no_two_have_a_connection_in_common(self, processes: int, connections: int) -> None:
        numbers: set[int] = set()
        for share in partition(Workload(target=TARGET, processes=processes, connections=connections)):
            numbers.update(range(share.first, share.first + share.workload.connections))
        self.assertEqual(numbers, set(range(connections)))

    def test_what_is_not_set(self) -> None:
        [share] = partition(Workload(target=TARGET))
        self.assertEqual(share.workload, Workload(target=TARGET))
