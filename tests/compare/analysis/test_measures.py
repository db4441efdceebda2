from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.measures import CPU, MEMORY, P50, P99, THROUGHPUT, measure_of, pairs, values
from echoproto.compare.results import Cell
from tests.compare.runs import TRUTHS, run, sample

ONE = sample("echo-epoll", TRUTHS["echo-epoll"], Cell(connections=50, idle=950), 0)
TIMED = sample("echo-epoll", TRUTHS["echo-epoll"], Cell(rate=1_000.0), 0)


class MeasuresTests(SynchronousTestCase):
    def test_what_decides(self) -> None:
        self.assertIs(measure_of(Cell()), THROUGHPUT)
        self.assertIs(measure_of(Cell(rate=1_000.0)), P99)

    def test_what_was_measured(self) -> None:
        self.assertEqual(THROUGHPUT.of(ONE), ONE.echoes_per_second)
        self.assertEqual(CPU.of(ONE), ONE.server_cpu_us_per_echo)
        self.assertEqual(P99.of(evolve(ONE, service_time_us={"p99": 7})), 7)

    def test_with_a_rate_it_counts_from_when_messages_were_due(self) -> None:
        self.assertEqual(P99.of(evolve(TIMED, service_time_us={"p99": 7}, response_time_us={"p99": 9})), 9)

    def test_what_was_not_measured(self) -> None:
        nothing = evolve(
            ONE, echoes_per_second=0.0, service_time_us={}, server_cpu_us_per_echo=None, idle_rss_bytes=None
        )
        self.assertEqual([measure.of(nothing) for measure in (THROUGHPUT, P99, CPU)], [None] * 3)
        self.assertIsNone(MEMORY.of(nothing))
        self.assertIsNone(MEMORY.of(evolve(ONE, busy_rss_bytes=None)))

    def test_memory(self) -> None:
        self.assertEqual(MEMORY.of(ONE), TRUTHS["echo-epoll"].memory)
        self.assertIsNone(MEMORY.of(evolve(ONE, cell=Cell(connections=499))))

    def test_units(self) -> None:
        for size, text in ((512, "0.5 KiB"), (10 << 10, "10 KiB"), (3 << 19, "1.5 MiB"), (-1024, "-1.0 KiB")):
            self.assertEqual(MEMORY.show(size), text)
        self.assertEqual((THROUGHPUT.show(12345.6), P50.show(1500)), ("12,346", "1.5 ms"))

    def test_values(self) -> None:
        samples = tuple(evolve(ONE, server_cpu_us_per_echo=value) for value in (5.0, None, 1.0))
        self.assertEqual(values(samples, CPU), [(0, 5.0), (0, 1.0)])

    def test_pairs_are_of_one_round(self) -> None:
        results = run(cells=[Cell()], rounds=3)
        found = pairs(results.of("echo-epoll", Cell()), results.of("echo-poll", Cell()), THROUGHPUT)
        self.assertEqual(
            found,
            tuple(
                (one.echoes_per_second, other.echoes_per_second)
                for one, other in zip(results.of("echo-epoll", Cell()), results.of("echo-poll", Cell()), strict=True)
            ),
        )

    def test_rounds_that_one_of_them_lacks_are_left_out(self) -> None:
        results = run(cells=[Cell()], rounds=3)
        ones, (first, _, last) = results.of("echo-epoll", Cell()), results.of("echo-poll", Cell())
        self.assertEqual(len(pairs(ones, (first, last), THROUGHPUT)), 2)
        self.assertEqual(pairs(ones, (evolve(first, echoes_per_second=0.0),), THROUGHPUT), ())
