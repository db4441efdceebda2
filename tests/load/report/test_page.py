import html
import json
import re
from html.parser import HTMLParser
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.histogram import Histogram
from echoproto.load.options import parse_aim
from echoproto.load.report.document import document
from echoproto.load.report.page import POLICY, page
from echoproto.load.search import Found, Result, Step
from echoproto.load.session import Outputs, write
from echoproto.load.workload import Transport
from echoproto.pages import vega
from tests.load.report.reports import NASTY, WORKLOAD, histogram, report

LARGEST = 100_000
"""Bytes of a page of a short run."""


class Reader(HTMLParser):
    """Which elements and attributes there are."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def not_drawn(specification: dict[str, Any]) -> str:
    return "<svg></svg>"


class PageTests(SynchronousTestCase):
    def test_pictures_of_both(self) -> None:
        text = page(report(), vega.svg)
        self.assertEqual(text.count("<svg"), 2)
        for part in (
            "p50",
            "p99",
            "1 ms",
            "Echoes per second",
            "Seconds since measuring began",
            "p99 latency (service time)",
        ):
            self.assertIn(part, html.unescape(text))
        self.assertLess(len(text), LARGEST)

    def test_nothing_is_loaded_or_run(self) -> None:
        """No script, no address that a browser would go to; and a policy that would keep it from both."""
        text = page(report(response_time=histogram(5)), vega.svg)
        read = Reader(text)
        self.assertFalse({"script", "link", "img", "iframe", "object", "image", "use", "a"} & set(read.tags))
        self.assertFalse({"src", "href", "xlink:href", "onload"} & {name for name, _ in read.attributes})
        self.assertIn(("content", POLICY), read.attributes)
        self.assertNotIn("url(", text)
        self.assertNotIn("@import", text)

    def test_what_a_peer_has_sent_is_text(self) -> None:
        """W3: wherever it is shown."""
        target = evolve(WORKLOAD.target, transport=Transport.UNIX, path=NASTY)
        shown = report(evolve(WORKLOAD, target=target, greeting=NASTY.encode()), first_findings=[NASTY])
        shown.outcome.errors[NASTY] += 1
        text = page(evolve(shown, environment={"date": NASTY}), vega.svg)
        read = Reader(text)
        self.assertNotIn("script", read.tags)
        self.assertEqual(read.tags.count("svg"), 2)
        self.assertNotIn("<script>", text)

    def test_what_is_no_text(self) -> None:
        """As a name that is not UTF-8: it is shown by its escapes, also in the file that is written."""
        path = str(self.mktemp())
        write(report(first_findings=["a\udcff"]), Outputs(None, path, None, quiet=True))
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue("first of it: a\\xff</p>" in text and "a\\udcff&#34;" in text)

    def test_all_of_it_is_there(self) -> None:
        shown = report(first_findings=[NASTY])
        found = re.search("<pre>(.*)</pre>", page(shown, not_drawn), re.DOTALL)
        assert found is not None
        self.assertEqual(json.loads(html.unescape(found[1])), document(shown))

    def test_nothing_was_measured(self) -> None:
        text = page(report(messages=0, service_time=Histogram(), connect_time=Histogram(), seconds={}), vega.svg)
        self.assertNotIn("<svg", text)
        self.assertIn('<span class="bad">nothing</span>', text)

    def test_what_was_done_and_what_else_is_known(self) -> None:
        found = Found(parse_aim("p99<2ms"), 1000.0, client_bound=False, steps=[Step(2000.0, Result.FAILED, 3000)])
        text = html.unescape(page(report(found=found, lost=7, server_cpu=0.0004), not_drawn))
        for part in ("50 connections, seed 42", "7 lost", "of a core", "1 µs of CPU time per echo"):
            self.assertIn(part, text)
        self.assertIn("<td>2,000/s</td><td>3 ms</td><td>failed</td>", text)
        self.assertNotIn("response time", text)

    def test_a_very_short_run(self) -> None:
        self.assertEqual(page(report(elapsed=0.3), vega.svg).count("<svg"), 1)
