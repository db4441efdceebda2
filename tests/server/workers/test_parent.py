import errno
import json
import os
import socket
import sys
from typing import Any
from unittest import mock

from attrs import asdict, evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, UnavailableError
from echoproto.server.counters import Counters
from echoproto.server.settings.table import Settings
from echoproto.server.sockets.pemfiles import PEMBlock
from echoproto.server.workers import messages
from echoproto.server.workers.handover import kernel_balances
from echoproto.server.workers.messages import Start
from echoproto.server.workers.parent import ANSWER_SECONDS, GRACE_SECONDS, Workers, processors
from tests.support.logs import record_log
from tests.support.reactorbuilder import EchoReactorBuilder, turn


class Process:
    """Stands in for the process of a worker."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.orders: list[tuple[object, ...]] = []
        self.unanswered: list[Deferred[None]] = []

    def order(self, kind: str, content: object = None) -> Deferred[None]:
        self.orders.append((kind, content))
        self.unanswered.append(Deferred())
        return self.unanswered[-1]

    def answer(self) -> None:
        self.unanswered.pop(0).callback(None)


class Supervised:
    """Stands in for the supervisor of some workers."""

    def __init__(self, count: int) -> None:
        self.stop_seconds = 0
        self.workers = [Process(number) for number in range(count)]
        self.processes = set(self.workers)
        self.replace = mock.Mock()
        self.stopped: Deferred[None] = Deferred()

    def orders(self, number: int) -> list[tuple[object, ...]]:
        return self.workers[number].orders

    def stop(self) -> Deferred[None]:
        return self.stopped


class WorkersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events = record_log(self)
        self.workers = Workers(Settings(log_rate=2), "fast", self.clock, workers=2)
        self.supervised: Any = Supervised(2)
        vars(self.workers)["_supervisor"] = self.supervised

    def lines(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_namespace"] == "echoproto"]

    def report(self, worker: int, kind: str, **counts: Any) -> None:
        snapshot = evolve(Counters().snapshot(()), **counts)
        self.workers.received(self.supervised.workers[worker], kind, json.dumps(snapshot.as_dict()))

    def test_what_a_worker_has_to_know(self) -> None:
        start = Start.from_json(self.workers.prepare(1)[0])
        self.assertEqual(start, Start(1, 2, "fast", 0, self.workers.settings))

    def test_ready(self) -> None:
        self.workers.received(self.supervised.workers[1], messages.READY, "77")
        self.assertEqual(self.lines(), ["Worker 1 serves, process 77"])

    def answer(self, worker: int, **counts: Any) -> None:
        """Report counters, as asked for."""
        self.report(worker, messages.COUNTERS, **counts)
        self.supervised.workers[worker].answer()

    def test_counters_are_asked_for_and_added_up(self) -> None:
        self.report(0, messages.COUNTERS, accepted=1, active=1, errors={"A": 1})
        self.workers.log_counters()
        self.workers.log_counters()
        self.assertEqual(self.supervised.orders(1), [(messages.COUNT, None)])
        self.answer(0, accepted=3, active=2, closed={"peer": 1}, errors={"A": 1})
        self.report(1, messages.COUNTERS, accepted=1, active=1)
        self.assertEqual(self.lines(), [])
        self.answer(1, accepted=4, active=4, closed={"peer": 2, "reset": 1}, errors={"B": 2})
        [line] = self.lines()
        told = json.loads(line.removeprefix("Counters: "))
        self.assertEqual((told["accepted"], told["active"]), (7, 6))
        self.assertEqual((told["closed"], told["errors"]), ({"peer": 3, "reset": 1}, {"A": 1, "B": 2}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_worker_that_does_not_answer(self) -> None:
        self.report(0, messages.COUNTERS, accepted=1, active=1)
        self.workers.log_counters()
        self.answer(1, accepted=2, active=2)
        self.clock.advance(ANSWER_SECONDS)
        self.assertIn('"accepted": 3', self.lines()[-1])
        self.supervised.workers[0].answer()  # too late, and no fault

    def test_a_worker_that_ends_before_it_answers(self) -> None:
        """O11: what it had counted stays, and adds up, since who was connected to it is so no more."""
        self.report(0, messages.COUNTERS, accepted=5, active=1, closed={"peer": 4}, bytes_received=7)
        self.workers.log_counters()
        self.answer(1, accepted=2, active=2)
        self.workers.ended(self.supervised.workers[0])
        self.supervised.workers[0].answer()
        line = self.lines()[-1]
        self.assertIn('"accepted": 7, "active": 2, "closed": {"peer": 4, "worker": 1}', line)
        self.assertIn('"bytes_received": 7', line)

    def test_a_worker_that_has_ended_in_order(self) -> None:
        self.report(1, messages.COUNTERS, accepted=5, closed={"stop": 5})
        self.workers.ended(self.supervised.workers[1])
        self.assertEqual(self.workers.snapshot().closed, {"stop": 5})

    def test_a_worker_that_has_never_reported(self) -> None:
        self.workers.ended(self.supervised.workers[1])
        self.assertEqual(self.workers.snapshot(), Counters().snapshot(()))

    def test_counters_when_there_is_nobody_to_ask(self) -> None:
        self.supervised.processes.clear()
        self.workers.log_counters()
        self.assertIn('Counters: {"accepted": 0', self.lines()[-1])

    def test_abort(self) -> None:
        self.workers.abort()
        self.assertEqual([self.supervised.orders(number) for number in range(2)], [[(messages.ABORT, None)]] * 2)

    def test_other_settings(self) -> None:
        """O8: workers hold to them as well, and those that are started later."""
        names = self.workers.apply(Settings(log_rate=2, idle=7, backlog=3, workers=9, drain=20))
        self.assertEqual(names, ["backlog", "workers"])
        [(kind, content)] = self.supervised.orders(1)
        self.assertEqual((kind, content), (messages.SETTINGS, asdict(self.workers.settings)))
        self.assertEqual(Start.from_json(self.workers.prepare(0)[0]).settings.idle, 7)
        self.assertEqual(self.supervised.stop_seconds, 20 + GRACE_SECONDS)

    def test_certificates(self) -> None:
        """S11: all workers use them before the service says so; those that take too long, a moment later."""
        self.successResultOf(self.workers.when_reloaded())
        credentials = mock.Mock(blocks=[PEMBlock("x.pem", "CERTIFICATE", b"\xff")], warnings=list)
        self.workers.credentials = [credentials, credentials]
        credentials.renew.side_effect = [ConfigurationError("x.pem: is empty"), None]
        self.assertEqual([str(each) for each in self.workers.renew_certificates()], ["x.pem: is empty"])
        sent = [[("x.pem", "CERTIFICATE", "\xff")]] * 2
        self.assertEqual([self.supervised.orders(number) for number in range(2)], [[(messages.CERTIFICATES, sent)]] * 2)
        self.assertEqual(Start.from_json(self.workers.prepare(0)[0]).certificates, (tuple(credentials.blocks),) * 2)
        reloaded = self.workers.when_reloaded()
        self.supervised.workers[0].answer()
        self.assertNoResult(reloaded)
        self.supervised.workers[1].answer()
        self.successResultOf(reloaded)
        credentials.renew.side_effect = None
        self.assertEqual(self.workers.renew_certificates(), [])
        reloaded = self.workers.when_reloaded()
        self.clock.advance(ANSWER_SECONDS)
        self.successResultOf(reloaded)

    def test_one_that_is_replaced_soon_keeps_its_place(self) -> None:
        """O11: who waits to be accepted by it waits for its successor."""
        with mock.patch.object(self.workers, "_handover") as handover:
            handover.descriptors.return_value = []
            self.workers.vacant(1, 0.8)
            self.assertEqual(handover.rest.mock_calls, [])
            self.workers.vacant(1, 1.6)
            handover.rest.assert_called_once_with(1)
            self.workers.prepare(1)
            handover.resume.assert_called_once_with(1)

    def test_the_last_one_keeps_its_place(self) -> None:
        """O11: no client is refused; once another worker serves, it is started for the waiting ones."""
        self.supervised.start_now = mock.Mock()
        with mock.patch.object(self.workers, "_handover") as handover:
            handover.descriptors.return_value = []
            self.workers.vacant(0, 3)
            self.clock.advance(1)
            self.workers.vacant(1, 5)
            handover.rest.assert_called_once_with(0)
            told = "No worker is left; clients that connect wait until the next one starts in 2.0 s"
            self.assertEqual(self.lines(), [told])
            self.clock.advance(2)
            self.workers.prepare(0)
            handover.resume.assert_called_once_with(0)
            self.assertEqual(self.supervised.start_now.mock_calls, [])
            self.workers.received(self.supervised.workers[0], messages.READY, "7")
            self.supervised.start_now.assert_called_once_with(1)
            self.workers.prepare(1)
            self.workers.vacant(0, 3)  # the other has yet to serve
            handover.rest.assert_called_once_with(0)
            self.workers.received(self.supervised.workers[1], messages.READY, "8")
            self.assertEqual(self.supervised.start_now.mock_calls, [mock.call(1), mock.call(0)])
        self.assertEqual(self.lines()[1:], ["Worker 0 serves, process 7", "Worker 1 serves, process 8"])

    def test_one_that_never_served_keeps_its_place(self) -> None:
        """O11: all of them fail as they start."""
        with mock.patch.object(self.workers, "_handover") as handover:
            handover.descriptors.return_value = []
            for worker in (0, 1):
                self.workers.prepare(worker)
            self.workers.vacant(0, 3)
            self.workers.vacant(1, 0.8)
            self.assertEqual(handover.rest.mock_calls, [])
        self.assertEqual(self.lines(), [])

    def test_one_that_stops_is_replaced(self) -> None:
        """O11: though it has yet to end; and what both of them count is added up."""
        former, successor = self.supervised.workers[1], Process(1)
        self.report(1, messages.COUNTERS, accepted=5, active=2, closed={"peer": 3})
        self.workers.received(former, messages.STOPPING, "null")
        self.supervised.replace.assert_called_once_with(former)
        self.supervised.workers[1] = successor
        self.report(1, messages.COUNTERS, accepted=1, active=1)
        self.assertEqual((self.workers.snapshot().accepted, self.workers.snapshot().active), (6, 3))
        self.workers.ended(former)
        self.assertEqual((self.workers.snapshot().accepted, self.workers.snapshot().active), (6, 1))

    def test_what_a_worker_prints(self) -> None:
        """E4: is logged, but not for ever."""
        for _ in range(100):
            self.workers.printed(1, "Segmentation\x00fault")
        lines = self.lines()
        self.assertEqual(lines[0], "Worker 1 has printed: Segmentation\\x00fault")
        self.assertEqual(len(lines), 20)
        self.workers.events.close()
        self.assertEqual(self.lines()[-1], "80 more lines printed by workers, not logged one by one")

    def test_stop(self) -> None:
        ended = self.workers.stopService()
        self.assertNoResult(ended)
        self.supervised.stopped.callback(None)
        self.successResultOf(ended)


class ProcessorsTests(SynchronousTestCase):
    def test_those_that_this_process_may_use(self) -> None:
        with mock.patch.object(os, "sched_getaffinity", return_value={1, 5}, create=True):
            self.assertEqual(processors(), 2)

    def test_where_the_system_does_not_tell(self) -> None:
        with (
            mock.patch.object(os, "cpu_count", return_value=3),
            mock.patch.object(os, "sched_getaffinity", create=True),
        ):
            del os.sched_getaffinity
            self.assertEqual(processors(), 3)


class WorkersBuilder(EchoReactorBuilder):
    def service(self, **settings: Any) -> Workers:
        self.reactor = self.buildReactor()
        self.events = record_log(self)
        made = Workers(Settings(**settings), "fast", self.reactor, workers=3)
        self.addCleanup(self.end, made)
        return made

    def end(self, service: Workers) -> None:
        service.stopService()
        turn(self.reactor)

    def test_says_where_and_how(self) -> None:
        service = self.service(port=0, interface="127.0.0.1")
        service.startService()
        port: Any = service.ports[0]
        listening, workers = [formatEvent(each) for each in self.events if each["log_namespace"] == "echoproto"]
        self.assertIn(f"fd is {port.fileno()}, address 127.0.0.1, port {port.getHost().port}, reactor fast", listening)
        way = "each its own socket, by SO_REUSEPORT" if kernel_balances() else "one shared socket"
        self.assertEqual(workers, f"3 workers on port 0 on 127.0.0.1: {way}")
        self.assertEqual(len(service.prepare(2)[1]), 1)

    def test_a_failed_start(self) -> None:
        """O1: nothing stays open."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            service = self.service(listen=("tcp:0:interface=127.0.0.1", f"tcp:{number}:interface=127.0.0.1"))
            self.assertRaises(UnavailableError, service.startService)
        self.assertFalse(service.running)
        if kernel_balances():
            self.assertEqual([place.sockets[1].fileno() for place in service._handover._places], [-1])

    def refused(self) -> str:
        """Why a start is refused; nothing stays open."""
        service = self.service(port=0, interface="127.0.0.1")
        service.privilegedStartService()
        port: Any = service.ports[0]
        address = ("127.0.0.1", port.getHost().port)
        error = self.assertRaises(UnavailableError, service.startService)
        turn(self.reactor)
        with socket.socket() as client:
            self.assertNotEqual(client.connect_ex(address), 0)
        return str(error)

    def test_a_user_who_may_not_run_python(self) -> None:
        """O1: there would never be a worker."""
        path = os.path.abspath(self.mktemp())
        with open(path, "wb"):  # which nobody may run, not even root
            pass
        with mock.patch.object(sys, "executable", path):
            self.assertEqual(self.refused(), f"workers can't be started: user {os.geteuid()} may not run {path}")

    def test_a_user_who_may_not_read_modules(self) -> None:
        """O1: but need not be able to read Python."""
        with mock.patch.object(os, "access", side_effect=lambda path, mode, **_: mode == os.X_OK):
            self.assertEqual(
                self.refused(), f"workers can't be started: user {os.geteuid()} may not read {os.__file__}"
            )

    def test_a_user_who_may_not_enter_a_folder(self) -> None:
        """O1: in the same way."""
        problem = PermissionError(errno.EACCES, "Permission denied", sys.executable)
        with mock.patch.object(os, "stat", side_effect=problem):
            self.assertIn(f"may not run {sys.executable}", self.refused())

    def test_modules_in_an_archive(self) -> None:
        """What is no file of its own is left for the workers to find."""
        service = self.service(port=0, interface="127.0.0.1")
        with mock.patch.object(sys, "executable", "/nonexistent/python"):
            service.startService()
        self.assertTrue(service.running)

    def test_a_stop_before_the_reactor_runs(self) -> None:
        service = self.service(port=0, interface="127.0.0.1")
        service.startService()
        service.stopService()
        service._start_workers()
        self.assertEqual(service._supervisor.processes, set())


globals().update(WorkersBuilder.makeTestCaseClasses())
del WorkersBuilder, EchoReactorBuilder
