import math
import os
import shlex
import sys
import time
from collections import Counter

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.contestants import catalogue, of_command
from echoproto.compare.results import NOT_POSSIBLE, Cell, Contestant, Sample
from echoproto.compare.run import sample as sample_module
from echoproto.compare.run.certificate import make_pem
from echoproto.compare.run.sample import Conditions, measure, sample, twistd, workload_for
from echoproto.host.signals import Deadline, Interruption
from echoproto.load.outcome import Outcome
from echoproto.load.verdict import LoadVerdict
from echoproto.load.workload import Churn, Transport
from tests.load.test_outcome import histogram

QUICK = Conditions(duration=0.2, warmup=0.05, seed=7)
FEW = Cell(connections=3)

SERVER = """
import socket, sys, threading
def serve(client):
    number = 0
    while data := client.recv(1 << 16):
        number += 1
        {harm}
        client.sendall(data)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1]){shift}))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def contestant(harm: str = "", shift: str = "") -> Contestant:
    """A server that harms what it echoes, or listens elsewhere."""
    script = SERVER.format(harm=harm, shift=shift)
    return of_command(f"mutant={shlex.join([sys.executable, '-c', script])} {{port}}").contestant("tcp")


def measured(who: Contestant, cell: Cell = FEW, conditions: Conditions = QUICK, most: float = math.inf) -> Sample:
    found = measure(who, cell, 2, conditions, Interruption(), most=most)
    assert found is not None
    return found


class GoodTests(SynchronousTestCase):
    def test_all_figures_of_a_real_server(self) -> None:
        found = measured(catalogue()["asyncio-protocol"].contestant("tcp"), evolve(FEW, idle=4))
        self.assertEqual((found.contestant, found.round, found.cell.idle), ("asyncio-protocol", 2, 4))
        self.assertIn(found.verdict, (LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT))
        self.assertGreater(found.echoes_per_second, 50)
        self.assertEqual(set(found.service_time_us), {"p50", "p75", "p90", "p99", "p99.9", "p99.99", "max"})
        self.assertEqual(found.response_time_us, {})
        self.assertEqual(found.spectrum[-1], (100.0, found.service_time_us["max"]))
        for figure in (
            found.server_cpu_us_per_echo,
            found.idle_rss_bytes,
            found.busy_rss_bytes,
            found.voluntary_switches_per_echo,
            found.involuntary_switches_per_echo,
        ):
            assert figure is not None
            self.assertGreaterEqual(figure, 0)
        assert found.idle_rss_bytes is not None
        assert found.server_cpu_us_per_echo is not None
        self.assertTrue(5 << 20 < found.idle_rss_bytes < 100 << 20)
        self.assertTrue(1 < found.server_cpu_us_per_echo < 20_000)

    def test_a_rate_and_a_churn(self) -> None:
        who = catalogue()["threads"].contestant("tcp")
        paced = measured(who, evolve(FEW, rate=200.0))
        self.assertGreater(paced.response_time_us["p50"], 0)
        self.assertEqual(paced.spectrum[-1][1], paced.response_time_us["max"])
        churned = measured(who, evolve(FEW, churn="fin"))
        self.assertIn(churned.verdict, (LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT), churned.why)
        self.assertGreater(churned.echoes_per_second, 10)

    def test_over_tls_and_udp(self) -> None:
        pem = os.path.abspath(self.mktemp())
        with open(pem, "wb") as file:
            file.write(make_pem())
        for transport in ("tls", "udp"):
            who = catalogue()["asyncio-protocol"].contestant(transport)
            found = measured(who, evolve(FEW, transport=transport), evolve(QUICK, pem=pem))
            self.assertIn(found.verdict, (LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT), found)


class BrokenTests(SynchronousTestCase):
    """Whatever a contestant does, there is a verdict."""

    def assert_bad(self, who: Contestant, verdict: str, part: str) -> Sample:
        found = measured(who)
        self.assertEqual(found.verdict, verdict, found)
        self.assertIn(part, found.why)
        return found

    def test_the_server_of_the_mutants_is_good_itself(self) -> None:
        self.assertIn(measured(contestant()).verdict, (LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT))

    def test_it_corrupts(self) -> None:
        self.assert_bad(contestant("data = data[:-1] + bytes([data[-1] ^ 1])"), "corrupt", "offset 63")

    def test_it_doubles(self) -> None:
        self.assert_bad(contestant("data += data"), "duplicated", "bytes")

    def test_it_dies(self) -> None:
        found = measured(contestant("import os\n        if number == 5: os._exit(3)"))
        self.assertIn(found.verdict, ("failed", "lost"))
        self.assertTrue(found.why)
        self.assertIsNotNone(found.idle_rss_bytes, "it had been there")

    def test_it_closes(self) -> None:
        found = measured(contestant("return client.close()"))
        self.assertIn(found.verdict, ("failed", "lost"))
        self.assertTrue(found.why)

    def test_it_greets(self) -> None:
        found = measured(contestant("if number == 1: data = b'Hello' + data"))
        self.assertNotIn(found.verdict, (LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT), found)

    def test_it_never_listens(self) -> None:
        self.patch(sample_module, "START_SECONDS", 0.5)
        found = self.assert_bad(contestant(shift=" + 1"), "unreachable", "did not listen")
        self.assertIsNone(found.idle_rss_bytes)

    def test_it_does_not_start(self) -> None:
        self.assert_bad(of_command("x=/no/such {port}").contestant("tcp"), "unreachable", "/no/such")

    def test_braces_that_are_not_ours(self) -> None:
        command = shlex.join([sys.executable, "-c", "import sys\nsys.exit('{x} é' + sys.argv[1][:0])", "{port}"])
        self.assert_bad(of_command(f"x={command}").contestant("tcp"), "unreachable", "status 1: {x} é")

    def test_twistd_is_that_of_this_environment(self) -> None:
        self.assertTrue(os.access(twistd(), os.X_OK))
        self.assertEqual(shlex.split(twistd()), [twistd()])

    def test_it_hangs(self) -> None:
        """As long as it may take, and no longer."""
        begun = time.monotonic()
        found = measured(contestant("threading.Event().wait()"), most=2.0)
        self.assertLess(time.monotonic() - begun, 60)
        self.assertEqual((found.verdict, found.why), ("failed", "it did not finish within 2 s"))

    def test_interrupted(self) -> None:
        interruption = Interruption()
        interruption.requested = True
        self.assertIsNone(measure(contestant(), FEW, 0, QUICK, interruption))


class WorkloadTests(SynchronousTestCase):
    def test_of_a_cell(self) -> None:
        made = workload_for(Cell(4, 99, 5, "tls", 7.0, "reset"), 77, QUICK)
        self.assertEqual((made.target.transport, made.target.port), (Transport.TLS, 77))
        self.assertEqual((made.connections, made.smallest, made.largest, made.idle), (4, 99, 99, 5))
        self.assertEqual((made.rate, made.churn, made.duration, made.warmup), (7.0, Churn.RESET, 0.2, 0.05))
        self.assertEqual((made.seed, made.greeting, made.verify), (7, b"", False))
        self.assertIsNone(workload_for(Cell(transport="udp"), 77, QUICK).greeting)

    def test_until(self) -> None:
        interruption = Interruption()
        self.assertFalse(Deadline(interruption, math.inf).requested)
        self.assertTrue(Deadline(interruption, time.monotonic() - 1).requested)
        interruption.requested = True
        self.assertTrue(Deadline(interruption, math.inf).requested)


class SampleTests(SynchronousTestCase):
    def made(self, **settings: object) -> Sample:
        outcome = Outcome(elapsed=1.0)
        for name, value in settings.items():
            setattr(outcome, name, value)
        empty = Sample(contestant="a", cell=FEW, round=0, verdict="failed")
        return sample(empty, workload_for(FEW, 7, QUICK), outcome, 5)

    def test_figures_for_each_echo(self) -> None:
        found = self.made(
            messages=100,
            service_time=histogram([0.001] * 100),
            server_cpu=0.002,
            server_memory=9,
            server_switches=(50, 7),
            cpu=0.5,
        )
        self.assertEqual((found.verdict, found.why, found.echoes_per_second), (LoadVerdict.GOOD, "", 100.0))
        self.assertEqual(
            (found.server_cpu_us_per_echo, found.voluntary_switches_per_echo, found.involuntary_switches_per_echo),
            (20.0, 0.5, 0.07),
        )
        self.assertEqual((found.idle_rss_bytes, found.busy_rss_bytes, found.client_cpu_share), (5, 9, 0.5))

    def test_figures_that_are_not_known(self) -> None:
        found = self.made()
        self.assertEqual((found.verdict, found.why), ("nothing", "no message came back"))
        self.assertEqual(
            (found.server_cpu_us_per_echo, found.voluntary_switches_per_echo, found.busy_rss_bytes), (None, None, None)
        )
        self.assertIsNone(self.made(server_cpu=1.0, server_switches=(1, 1)).server_cpu_us_per_echo)

    def test_why(self) -> None:
        good = {"messages": 5, "service_time": histogram([0.001] * 5)}
        for settings, verdict, part in (
            ({"cpu": 0.99, **good}, LoadVerdict.CLIENT_LIMIT, "99%"),
            ({"own_limits": Counter(ports=3), "errors": Counter(EADDRNOTAVAIL=3), **good}, NOT_POSSIBLE, "ports"),
            ({"errors": Counter(ECONNRESET=4, EPIPE=1), **good}, "failed", "ECONNRESET (4), EPIPE (1)"),
            ({"lost": 5000, **good}, "lost", "5,000 bytes"),
            ({"findings": Counter(corrupt=1), "first_findings": ["here"], **good}, "corrupt", "here"),
        ):
            found = self.made(**settings)
            self.assertEqual(found.verdict, verdict)
            self.assertIn(part, found.why)
