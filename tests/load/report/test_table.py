import io
from collections import Counter

from attrs import evolve
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.histogram import Histogram
from echoproto.load.options import parse_aim
from echoproto.load.report.document import Report
from echoproto.load.report.table import headline, print_report
from echoproto.load.search import Found, Result, Step
from echoproto.load.workload import Arrivals, Churn, Transport
from tests.load.report.reports import NASTY, WORKLOAD, histogram, report

AIM = parse_aim("p99<2ms")
STEPS = [Step(1000, Result.HELD, 900), Step(2000, Result.FAILED, None)]


def printed(shown: Report, *, terminal: bool = False, width: int = 100) -> str:
    file = io.StringIO()
    print_report(Console(file=file, width=width, force_terminal=terminal, highlight=False), shown)
    return file.getvalue()


class TableTests(SynchronousTestCase):
    def test_a_good_run(self) -> None:
        lines = printed(report()).splitlines()
        self.assertEqual(lines[0], "good: tcp:127.0.0.1:8888, 77 echoes/s")
        self.assertEqual(lines[1], "  400 echoes of 64B in 5.2 s, 50 connections, seed 42")
        rows = {line[:15].strip(): line[15:].split() for line in lines}
        self.assertEqual(rows[""], [])
        self.assertEqual(
            rows["service time"], ["1", "ms", "1", "ms", "1", "ms", "1", "ms", "3", "ms", "3", "ms", "3", "ms"]
        )
        self.assertEqual(rows["connect"][:2], ["200", "µs"])
        self.assertIn("  bytes      25,600 sent, 25,600 acked, 0 lost", [line.rstrip() for line in lines])
        self.assertIn("  generator  19% of a core", [line.rstrip() for line in lines])
        self.assertNotIn("response time", rows)

    def test_narrow_terminals(self) -> None:
        """No figure, unit or name is cut: what does not fit goes to the next line."""
        found = Found(AIM, 1000.0, False, STEPS)
        shown = report(response_time=histogram(*[1.38] * 5), lag=histogram(0.1), server_cpu=0.02, found=found)
        words = printed(shown, width=500).split()
        for width in (40, 60):
            lines = printed(shown, width=width).splitlines()
            self.assertLessEqual(max(len(line) for line in lines[1:]), width)
            narrow = " ".join(lines).split()
            self.assertEqual(set(narrow), set(words))
            self.assertEqual(narrow.count("1.38"), words.count("1.38"))

    def test_what_was_asked_for(self) -> None:
        workload = evolve(
            WORKLOAD,
            connections=1,
            largest=1 << 20,
            idle=9,
            rate=100.0,
            arrivals=Arrivals.POISSON,
            window=2,
            churn=Churn.RESET,
            half_close=True,
            processes=2,
        )
        text = printed(report(workload, response_time=histogram(5), lag=histogram(0.1), server_cpu=0.02))
        self.assertIn(
            "400 echoes of 64B to 1MiB in 5.2 s, 1 connection, 9 idle ones, 100/s, poisson, window 2, churn reset, "
            "half-close, 2 processes, seed 42",
            " ".join(text.split()),
        )
        for part in ("response time    5 ms", "sent late by", "for each process", "50 µs of CPU time per echo"):
            self.assertIn(part, text)

    def test_harm(self) -> None:
        """L2"""
        shown = report(
            lost=7,
            unknown=3,
            acked=25590,
            findings=Counter(corrupt=2),
            errors=Counter(ECONNRESET=1),
            reasons=Counter({"TLS: certificate required": 5}),
            own_limits=Counter(descriptors=4),
            first_findings=["connection 3: at offset 977", "another"],
            interrupted=True,
        )
        text = printed(shown)
        self.assertEqual(text.splitlines()[0], "corrupt (partial): tcp:127.0.0.1:8888, 77 echoes/s")
        for part in (
            "25,600 sent, 25,590 acked, 7 lost, 3 unknown",
            "corrupt 2 times",
            "ECONNRESET 1 time",
            "TLS: certificate required 5 times",
            "descriptors 4 times",
            "connection 3: at offset 977",
            "! partial",
        ):
            self.assertIn(part, text)

    def test_what_a_peer_has_sent_is_text(self) -> None:
        """E3: no markup, no control characters."""
        shown = report(
            evolve(WORKLOAD, target=evolve(WORKLOAD.target, transport=Transport.UNIX, path=NASTY)),
            first_findings=[NASTY],
            errors=Counter({NASTY: 1}),
        )
        for text in (printed(shown), headline(shown)):
            self.assertIn("[bold]\\x1b[31m\\r\\n", text)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\r", text)

    def test_colours_at_a_terminal_only(self) -> None:
        self.assertIn("\x1b[1;32mgood", printed(report(), terminal=True))
        self.assertIn("\x1b[1;31mlost", printed(report(lost=1), terminal=True))
        self.assertNotIn("\x1b", printed(report()))

    def test_nothing_was_measured(self) -> None:
        text = printed(report(messages=0, service_time=Histogram(), connect_time=Histogram()))
        self.assertIn("nothing: tcp:127.0.0.1:8888, 0 echoes/s", text)

    def test_too_little_for_a_rate(self) -> None:
        shown = report(messages=100, elapsed=0.0444)
        self.assertEqual(headline(shown), "good: tcp:127.0.0.1:8888, 100 echoes in 44.4 ms")
        self.assertNotIn("of a core", printed(shown))

    def test_what_was_counted_and_what_was_sent(self) -> None:
        text = printed(report(evolve(WORKLOAD, count=500, duration=None), warmup_messages=9900))
        self.assertIn("400 of 500 echoes of 64B", text)
        self.assertIn("9,900 more echoes in 1 s, checked", text)
        self.assertNotIn("warm-up", printed(report()))

    def test_a_search(self) -> None:
        text = printed(report(found=Found(AIM, 1000.0, False, STEPS)))
        self.assertIn("good: tcp:127.0.0.1:8888, 1,000 echoes/s hold p99<2ms", text)
        rows = [line.split() for line in text.splitlines()]
        self.assertIn(["1,000/s", "900", "µs", "held"], rows)
        self.assertIn(["2,000/s", "failed"], rows)

    def test_other_ends_of_a_search(self) -> None:
        self.assertIn("at least 1,000 echoes/s", headline(report(found=Found(AIM, 1000.0, True, STEPS))))
        self.assertIn("no rate was found that holds p99<2ms", headline(report(found=Found(AIM, None, False, STEPS))))
