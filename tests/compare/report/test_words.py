from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.report.words import axis, describe, labels, panels, show_value, varying
from echoproto.compare.results import Cell

USUAL = Cell()
IDLE = tuple(Cell(idle=idle) for idle in (0, 100, 10_000))
MIXED = (USUAL, Cell(rate=2_000.0), Cell(connections=10, size_bytes=10240), Cell(idle=900))

CELLS = strategies.lists(
    strategies.builds(
        Cell,
        connections=strategies.sampled_from((1, 10)),
        size_bytes=strategies.sampled_from((64, 1024)),
        idle=strategies.sampled_from((0, 100, 1_000)),
        transport=strategies.sampled_from(("tcp", "udp")),
        rate=strategies.sampled_from((None, 1.0)),
        churn=strategies.sampled_from((None, "fin", "reset")),
    ),
    min_size=1,
    unique=True,
)


class DescribeTests(SynchronousTestCase):
    def test_what_goes_without_saying(self) -> None:
        self.assertEqual(describe(USUAL), "50 connections, 64B")

    def test_all_of_it(self) -> None:
        cell = Cell(connections=1, size_bytes=1024, idle=1_000, transport="tls", rate=2_000.0, churn="fin")
        self.assertEqual(
            describe(cell),
            "TLS, 1 connection, 1KiB, 1,000 idle, 2,000/s, a connection for each message, closed by FIN",
        )

    def test_without_one(self) -> None:
        self.assertEqual(describe(Cell(idle=7), without="idle"), "50 connections, 64B")

    def test_bare_values(self) -> None:
        cell = Cell(connections=1_000, size_bytes=1024, rate=0.5)
        shown = [show_value(cell, name) for name in ("connections", "size_bytes", "rate")]
        self.assertEqual(shown, ["1,000", "1KiB", "0.5"])
        self.assertEqual(show_value(USUAL, "rate"), "no rate")


class LabelsTests(SynchronousTestCase):
    def test_one_setting_differs(self) -> None:
        self.assertEqual(list(labels(IDLE).values()), ["none idle", "100 idle", "10,000 idle"])
        churns = (Cell(churn=None), Cell(churn="reset"))
        self.assertEqual(
            list(labels(churns).values()), ["connections kept", "a connection for each message, closed by RESET"]
        )

    def test_several_differ(self) -> None:
        self.assertEqual(
            list(labels(MIXED).values()), ["50 connections, 64B", "2,000/s", "10 connections, 10KiB", "900 idle"]
        )

    def test_a_single_one(self) -> None:
        self.assertEqual(labels([USUAL]), {USUAL: "50 connections, 64B"})

    @given(CELLS)
    def test_they_differ(self, cells: list[Cell]) -> None:
        self.assertEqual(len(set(labels(cells).values())), len(cells))


class AxisTests(SynchronousTestCase):
    def test_what_varies(self) -> None:
        self.assertEqual(varying(IDLE), ("idle",))
        self.assertEqual(varying(MIXED), ("connections", "size_bytes", "idle", "rate"))

    def test_the_one_with_most_values(self) -> None:
        self.assertEqual(axis(IDLE), "idle")
        self.assertEqual(axis(MIXED), "idle")
        self.assertEqual(axis([*MIXED, evolve(USUAL, size_bytes=1), evolve(USUAL, size_bytes=2)]), "size_bytes")

    def test_none(self) -> None:
        self.assertIsNone(axis([USUAL]))
        self.assertIsNone(axis([Cell(churn="fin"), Cell(churn="reset"), Cell(rate=1.0)]))

    @given(CELLS)
    def test_panels_differ_along_the_axis_only(self, cells: list[Cell]) -> None:
        along = axis(cells)
        groups = panels(cells, along)
        self.assertEqual(sorted(map(str, cells)), sorted(str(cell) for group in groups.values() for cell in group))
        for group in groups.values():
            self.assertTrue(set(varying(group)) <= {along})
            if along is not None:
                values = [getattr(cell, along) or 0 for cell in group]
                self.assertEqual(values, sorted(values))
