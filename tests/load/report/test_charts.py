import re

from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.report.charts import second_rows, seconds_chart, spectrum_chart, spectrum_rows
from echoproto.pages import vega
from echoproto.pages.charts import specification
from tests.load.report.reports import histogram, report


class ChartsTests(SynchronousTestCase):
    def test_spectrum(self) -> None:
        rows = spectrum_rows(report(response_time=histogram(*[2.0] * 9, 7.0)).outcome)
        service = [row for row in rows if row["clock"] == "service time"]
        response = [row for row in rows if row["clock"] == "response time"]
        self.assertEqual(service[0]["time"], 1000)
        self.assertEqual((response[-1]["percent"], response[-1]["time"] // 10), (100, 700))
        for line in (service, response):
            self.assertEqual([row["rare"] for row in line], sorted(row["rare"] for row in line))
            self.assertEqual([row["time"] for row in line], sorted(row["time"] for row in line))

    def test_a_second_without_echoes_is_one(self) -> None:
        """L4: a stall shows."""
        rows = second_rows(report().outcome)
        self.assertEqual([row["echoes"] for row in rows], [100, 100, 100, 0, 100])
        self.assertEqual([row["p99"] for row in rows], [1000, 1000, 1000, None, 1000])

    def test_bars_begin_at_0(self) -> None:
        """Else the same difference looks as large as one likes."""
        svg = vega.svg(specification(seconds_chart(second_rows(report().outcome))))
        bars = re.findall(r'aria-roledescription="bar"[^>]*? d="M([\d.]+),([\d.]+)h([\d.]+)v([\d.]+)h', svg)
        self.assertEqual(len({float(top) + float(height) for _, top, _, height in bars}), 1, svg)
        self.assertGreater(max(float(height) for *_, height in bars), 100)

    def test_only_what_there_is_has_a_colour(self) -> None:
        for outcome, clocks in (
            (report().outcome, ["service time"]),
            (report(response_time=histogram(5)).outcome, ["service time", "response time"]),
        ):
            color = specification(spectrum_chart(spectrum_rows(outcome)))["encoding"]["color"]
            self.assertEqual((color["scale"]["domain"], len(color["scale"]["range"])), (clocks, len(clocks)))
            self.assertEqual(color["title"], "Latency as")

    def test_what_came_after_the_end_is_no_second(self) -> None:
        self.assertEqual(len(second_rows(report(elapsed=2.5).outcome)), 2)

    def test_seconds_are_labelled_once(self) -> None:
        """Also in a run of few seconds, where Vega would label halves of them, too."""
        second = report().outcome.seconds[0]
        for count in (1, 2, 3, 7, 11, 64):
            outcome = report(seconds=dict.fromkeys(range(count), second), elapsed=float(count)).outcome
            svg = vega.svg(specification(seconds_chart(second_rows(outcome))))
            axis = svg.partition("X-axis titled 'Seconds since measuring began'")[2].partition("role-axis-title")[0]
            labels = re.findall(r">(\d+)</text>", axis)
            self.assertIn("0", labels)
            self.assertEqual(sorted(set(labels)), sorted(labels), count)

    def test_charts_of_one_value(self) -> None:
        one = report(service_time=histogram(1), seconds={0: report().outcome.seconds[0]}, elapsed=1.0).outcome
        for chart in (spectrum_chart(spectrum_rows(one)), seconds_chart(second_rows(one))):
            self.assertIn("<svg", vega.svg(specification(chart)))
