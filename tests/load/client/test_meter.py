import os
import time

from twisted.trial.unittest import SynchronousTestCase

from echoproto.host.usage import Use
from echoproto.load.client.meter import Meter
from echoproto.load.outcome import MAX_DESCRIBED_FINDINGS
from echoproto.units import NS

US = 1000


class MeterTests(SynchronousTestCase):
    def test_before_measuring_only_connections_count(self) -> None:
        meter = Meter()
        meter.connect.add(5 * US)
        meter.service.add(7 * US)
        meter.lag.add(7 * US)
        meter.error("ECONNRESET")
        self.assertEqual(meter.tick(1), 1)
        outcome = meter.outcome
        self.assertEqual((outcome.connect_time.count, outcome.messages, outcome.lag.count), (1, 0, 0))
        self.assertEqual((dict(outcome.errors), outcome.seconds), ({"ECONNRESET": 1}, {}))

    def test_messages_of_the_warm_up(self) -> None:
        meter = Meter()
        for _ in range(2):
            meter.service.add(7 * US)
        meter.tick(1)
        meter.service.add(7 * US)
        meter.begin(2, 3, anew=False)
        meter.service.add(7 * US)
        meter.tick(3)
        self.assertEqual((meter.outcome.warmup_messages, meter.outcome.messages), (3, 1))

    def test_reasons(self) -> None:
        meter = Meter()
        for reason in ("", "certificate required", "certificate required"):
            meter.error("TLS", reason)
        self.assertEqual(dict(meter.outcome.errors), {"TLS": 3})
        self.assertEqual(dict(meter.outcome.reasons), {"TLS: certificate required": 2})

    def test_begun_anew(self) -> None:
        """Where connections are made while it is measured, those of the warm-up do not count."""
        for anew, count in ((False, 1), (True, 0)):
            meter = Meter()
            meter.connect.add(5 * US)
            meter.tick(1)
            meter.begin(2, 3, anew=anew)
            self.assertEqual(meter.outcome.connect_time.count, count)

    def test_seconds(self) -> None:
        meter = Meter()
        begun = 77 * NS
        meter.begin(begun, begun + 2 * NS, anew=False)
        for tenth, messages in enumerate((1, 2, 3, 4)):
            for _ in range(messages):
                meter.service.add(5 * US)
            meter.response.add(6 * US)
            meter.tick(begun + (tenth + 1) * NS // 2)
        meter.error("EPIPE")  # after the end, but not for long
        outcome = meter.outcome
        self.assertEqual(
            {k: (s.echoes, s.times.count, s.errors) for k, s in outcome.seconds.items()}, {0: (3, 3, 0), 1: (7, 7, 1)}
        )
        self.assertEqual((outcome.messages, outcome.service_time.count, outcome.response_time.count), (10, 10, 4))
        self.assertEqual(outcome.elapsed, 2.0)

    def test_after_the_end(self) -> None:
        """A little later is of the last second; much later has a second of its own, if there is something in it."""
        meter = Meter()
        meter.begin(0, NS, anew=False)
        meter.tick(NS)
        meter.service.add(5 * US)
        meter.tick(NS * 5 // 4)
        for now in (4 * NS, 5 * NS):
            meter.tick(now)
        self.assertEqual({k: s.echoes for k, s in meter.outcome.seconds.items()}, {0: 1})
        meter.service.add(5 * US)
        meter.tick(6 * NS)
        self.assertEqual({k: s.echoes for k, s in meter.outcome.seconds.items()}, {0: 1, 5: 1})
        meter.end(6 * NS)
        self.assertEqual((meter.outcome.elapsed, meter.measuring), (6.0, False))

    def test_findings(self) -> None:
        meter = Meter()
        for number in range(MAX_DESCRIBED_FINDINGS + 5):
            meter.finding("corrupt", str(number))
        self.assertEqual(meter.outcome.findings["corrupt"], MAX_DESCRIBED_FINDINGS + 5)
        self.assertEqual(meter.outcome.first_findings, [str(number) for number in range(MAX_DESCRIBED_FINDINGS)])


class ServerTests(SynchronousTestCase):
    def test_reported(self) -> None:
        meter = Meter(os.getpid())
        meter.read_server_usage()
        meter.begin(0, NS, anew=False)
        begun = time.process_time()
        while time.process_time() < begun + 0.05:
            pass
        meter.end(NS)
        assert meter.outcome.server_cpu is not None
        self.assertTrue(0.02 < meter.outcome.server_cpu < 1)
        self.assertTrue(0.05 <= meter.outcome.cpu < 1)
        assert meter.outcome.server_memory is not None
        self.assertGreater(meter.outcome.server_memory, 1 << 20)
        assert meter.outcome.server_switches is not None
        self.assertTrue(all(0 <= count < 10_000 for count in meter.outcome.server_switches))

    def test_switches_of_processes_that_have_ended_are_not_known(self) -> None:
        meter = Meter(os.getpid())
        for after, switches in ((Use(2.0, 0.0, 9, 7, 5), (6, 3)), (Use(2.0, 0.5, 9, 7, 5), None)):
            meter.outcome.server_switches = None
            meter._compare(Use(1.0, 0.0, 8, 1, 2), after)
            self.assertEqual((meter.outcome.server_cpu, meter.outcome.server_memory), (1.0, 9))
            self.assertEqual(meter.outcome.server_switches, switches)

    def test_less_than_before_is_not_known(self) -> None:
        """Threads take their switches with them, and so do processes that nobody waits for, with their CPU time."""
        for after, cpu, switches in (
            (Use(2.0, 0.0, 9, 0, 5), 1.0, None),
            (Use(2.0, 0.0, 9, 7, 1), 1.0, None),
            (Use(0.5, 0.0, 9, 7, 5), None, (6, 3)),
        ):
            meter = Meter(os.getpid())
            meter._compare(Use(1.0, 0.0, 8, 1, 2), after)
            self.assertEqual((meter.outcome.server_cpu, meter.outcome.server_switches), (cpu, switches))
