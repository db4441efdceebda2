from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.bars import bars, cost, memory
from echoproto.compare.report.pictures.rows import MEMORY, P99, THROUGHPUT, Quantity, color, medians
from echoproto.compare.results import Calls, Cell
from tests.compare.report.pictures.drawing import texts
from tests.compare.runs import TRUTHS, changed, run

CELL = Cell()
RESULTS = run(cells=[CELL])
COLORS = color(RESULTS.contestants)


class BarsTests(SynchronousTestCase):
    def texts(self, quantity: Quantity, **changes: object) -> list[str]:
        rows = medians(judge(changed(RESULTS, "threads", **changes)), [CELL], quantity)
        return texts(bars(rows, quantity, COLORS))

    def order(self, quantity: Quantity) -> list[str]:
        return [text for text in self.texts(quantity) if text in TRUTHS]

    def test_the_best_comes_first(self) -> None:
        self.assertEqual(self.order(THROUGHPUT)[0], "uvloop-protocol")
        self.assertEqual(self.order(P99)[-1], "threads")

    def test_values_are_written(self) -> None:
        rows = medians(judge(RESULTS), [CELL], THROUGHPUT)
        rows = [{**row, "median": f"<{number}>"} for number, row in enumerate(rows)]
        found = texts(bars(rows, THROUGHPUT, COLORS))
        values = [f"&lt;{number}&gt;" for number in range(len(rows))]
        for text in (*values, "Echoes per second", "50,000", "Implementation"):
            self.assertIn(text, found)

    def test_times_have_their_units(self) -> None:
        self.assertIn("1 ms", self.texts(P99))

    def test_values_that_differ_by_much_are_on_a_logarithmic_axis(self) -> None:
        """Its ticks between powers of ten have no label, which there would be no room for."""
        self.assertIn("Echoes per second, logarithmic", self.texts(THROUGHPUT, echoes_per_second=7.0))
        found = self.texts(P99, service_time_us={"p99": 9_000_000})
        self.assertEqual(("10 ms" in found, "20 ms" in found), (True, False), found)

    def test_values_below_zero(self) -> None:
        """Memory may shrink while it is measured."""
        cell = Cell(idle=950)
        results = changed(run(cells=[cell], rounds=2), "threads", busy_rss_bytes=25_000_000 - (1_000 << 10))
        self.assertIn("-1.0 KiB", texts(bars(medians(judge(results), [cell], MEMORY), MEMORY, COLORS)))


class CostTests(SynchronousTestCase):
    def test_cpu_time_and_calls(self) -> None:
        found = texts(cost(judge(RESULTS)))
        for text in ("CPU time per echo (µs)", "System calls per echo", "epoll_wait", "6.00", "others", "System call"):
            self.assertIn(text, found)
        self.assertEqual(found.count("threads"), 2)

    def test_at_both_ends_of_the_axis(self) -> None:
        found = texts(cost(judge(run())))
        self.assertEqual(len([text for text in found if text.startswith("CPU time per echo (µs)")]), 2)

    def test_few_calls_have_no_others(self) -> None:
        counted = (Calls("threads", CELL, {"recv": 1.0, "send": 1.0}), Calls("echo-epoll", CELL, why="no strace"))
        self.assertNotIn("others", texts(cost(judge(evolve(RESULTS, calls=counted)))))

    def test_without_calls(self) -> None:
        self.assertNotIn("System calls per echo", texts(cost(judge(evolve(RESULTS, calls=())))))

    def test_without_cpu_time(self) -> None:
        unknown = evolve(RESULTS, samples=tuple(evolve(each, server_cpu_us_per_echo=None) for each in RESULTS.samples))
        self.assertNotIn("CPU time per echo (µs)", texts(cost(judge(unknown))))
        self.assertIsNone(cost(judge(evolve(unknown, calls=()))))


class MemoryTests(SynchronousTestCase):
    def test_where_there_are_most_connections(self) -> None:
        found = texts(memory(judge(run())))
        self.assertIn("50 connections, 64B, 10,000 idle", found)
        for text in ("2.4 KiB", "Memory per connection (KiB)"):
            self.assertIn(text, found)

    def test_unknown(self) -> None:
        results = run(rounds=1)
        unknown = evolve(results, samples=tuple(evolve(each, idle_rss_bytes=None) for each in results.samples))
        self.assertIsNone(memory(judge(unknown)))

    def test_too_few_connections(self) -> None:
        self.assertIsNone(memory(judge(RESULTS)))
