"""
Targets of the service in comparison with other servers, and the reached figures.

They are ratios of figures from the same rounds; where the generator was the bottleneck, ratios of the server's CPU time
per echo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import evolve, frozen

from echoproto.compare.analysis.figures import Figures, judge
from echoproto.compare.analysis.measures import CPU, KIB, MEMORY, THROUGHPUT, pairs
from echoproto.compare.analysis.statistics import Ratio, paired_ratio
from echoproto.compare.results import Cell, Results

STOCK, OURS, LEAN, ASYNCIO, UVLOOP, C = (
    "twisted-epoll",
    "echo-epoll",
    "echo-lean-epoll",
    "asyncio-protocol",
    "uvloop-protocol",
    "c",
)

LARGE = 100 << 10
"""Message size in bytes from which copying costs more than calling."""

USUAL = Cell(connections=50, size_bytes=64)
CROWDED = evolve(USUAL, idle=10_000)


@frozen
class Row:
    """
    One figure.

    :ivar value: the reached value; ``None`` if it was not measured.
    :ivar shown: the value in words, or the reason for having none.
    :ivar must: minimum value, or with ``at_most``, maximum value.
    :ivar stretch: desirable value.
    """

    name: str
    value: float | None
    shown: str
    must: float
    stretch: float
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """Result of the comparison with the target."""
        if self.value is None:
            return "not measured"
        sign = -1 if self.at_most else 1
        if sign * self.value >= sign * self.stretch:
            return "stretch"
        return "must" if sign * self.value >= sign * self.must else "NOT REACHED"


def rows(results: Results) -> list[Row]:
    """Yield all figures that the results allow."""
    return list(_rows(results))


def _rows(results: Results) -> Iterator[Row]:
    def steady(cell: Cell) -> bool:
        return cell.rate is None and cell.churn is None

    def over_tcp(cell: Cell) -> bool:
        return cell.transport == "tcp" and steady(cell)

    def small(cell: Cell) -> bool:
        return over_tcp(cell) and cell.size_bytes < LARGE and not cell.idle

    def large(cell: Cell) -> bool:
        return over_tcp(cell) and cell.size_bytes >= LARGE and not cell.idle

    def churning(cell: Cell) -> bool:
        return cell.churn == "fin"

    def over(transport: str) -> Callable[[Cell], bool]:
        return lambda cell: cell.transport == transport

    def usual(cell: Cell) -> bool:
        return cell == USUAL

    for name, one, other, wanted, must, stretch in (
        ("default against stock Twisted, 50 × 64 B", OURS, STOCK, usual, 1.6, 1.8),
        ("lean-epoll against stock Twisted, 50 × 64 B", LEAN, STOCK, usual, 2.2, 2.6),
        ("lean-epoll against asyncio, up to 10 KiB", LEAN, ASYNCIO, small, 1.05, 1.2),
        ("lean-epoll against asyncio, 100 KiB", LEAN, ASYNCIO, large, 0.85, 1.0),
        ("lean-epoll against uvloop, every cell", LEAN, UVLOOP, steady, 0.9, 1.0),
        ("churn, lean-epoll against asyncio", LEAN, ASYNCIO, churning, 1.8, 2.2),
        ("churn, lean-epoll against uvloop", LEAN, UVLOOP, churning, 1.3, 1.6),
        ("TLS, lean-epoll against asyncio", LEAN, ASYNCIO, over("tls"), 1.0, 1.3),
        ("UDP, lean-epoll against asyncio", LEAN, ASYNCIO, over("udp"), 1.0, 1.3),
    ):
        yield _worst(
            name, [_against(results, one, other, cell) for cell in filter(wanted, results.cells)], must, stretch
        )
    yield _row("lean-epoll, echoes per CPU time against C", _cpu(results, LEAN, C, USUAL), 0.7, 0.85)
    figures = judge(results)
    for contestant in (OURS, LEAN):
        name = contestant.removeprefix("echo-")
        yield _row(f"10,000 idle against none, {name}", _crowded(figures, contestant), 0.95, 0.98)
        yield _memory(f"KiB for each idle connection, {name}", figures, contestant)
        yield _calls(f"system calls for each small echo, {name}", results, contestant)


@frozen
class _Found:
    """A ratio (more is better), or the reason for having none."""

    ratio: Ratio | None
    note: str


def _against(results: Results, one: str, other: str, cell: Cell) -> _Found:
    both = tuple(each for each in results.contestants if each.name in {one, other})
    figures = judge(evolve(results, baseline=other, contestants=both, cells=(cell,)))
    verdict = next((figure.verdict for figure in figures if figure.contestant.name == one), None)
    if verdict is None or verdict.ratio is None:
        return _Found(None, str(verdict or "not measured"))
    if verdict.measure is CPU:
        return _Found(_inverse(verdict.ratio), "by CPU time")
    return _Found(verdict.ratio, "")


def _inverse(ratio: Ratio) -> Ratio:
    return evolve(ratio, value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low if ratio.low else float("inf"))


def _cpu(results: Results, one: str, other: str, cell: Cell) -> _Found:
    """Return the ratio of CPU times per echo of two contestants."""
    found = pairs(results.of(other, cell), results.of(one, cell), CPU)
    return _Found(paired_ratio(found), "") if found else _Found(None, "not measured")


def _crowded(figures: Figures, contestant: str) -> _Found:
    """Return what is left of a contestant's figure beside many idle connections."""
    crowded, alone = (figures.rows.get((contestant, cell)) for cell in (CROWDED, USUAL))
    if crowded is None or crowded.void or alone is None or alone.void:
        return _Found(None, "not measured")
    bound = crowded.client_bound or alone.client_bound
    found = pairs(crowded.samples, alone.samples, CPU if bound else THROUGHPUT)
    if not found:
        return _Found(None, "not measured")
    ratio = paired_ratio(found)
    return _Found(_inverse(ratio), "by CPU time") if bound else _Found(ratio, "")


def _worst(name: str, found: Iterable[_Found], must: float, stretch: float) -> Row:
    """Return the row of the worst of several ratios."""
    among = list(found)
    measured = [(each.ratio.value, each) for each in among if each.ratio is not None]
    if len(measured) < len(among) or not among:
        why = next((each.note for each in among if each.ratio is None), "not measured")
        return Row(name, None, why, must, stretch)
    return _row(name, min(measured, key=lambda each: each[0])[1], must, stretch)


def _row(name: str, found: _Found, must: float, stretch: float) -> Row:
    ratio = found.ratio
    if ratio is None:
        return Row(name, None, found.note, must, stretch)
    between = f" ({ratio.low:.2f}–{ratio.high:.2f})" if ratio.low else f" (of {ratio.rounds} rounds only)"
    return Row(name, ratio.value, " ".join(filter(None, [f"{ratio.value:.2f}{between}", found.note])), must, stretch)


def _memory(name: str, figures: Figures, contestant: str) -> Row:
    figure = figures.rows.get((contestant, CROWDED))
    held = figure.median(MEMORY) if figure else None
    shown = "not measured" if held is None else f"{held / KIB:.2f}"
    return Row(name, None if held is None else held / KIB, shown, 2.0, 1.3, at_most=True)


def _calls(name: str, results: Results, contestant: str) -> Row:
    for calls in results.calls:
        if calls.contestant == contestant and calls.cell == USUAL and calls.per_echo:
            count = sum(calls.per_echo.values())
            words = ", ".join(f"{each} {number:.2f}" for each, number in calls.per_echo.items())
            return Row(name, count, f"{count:.2f}: {words}", 3.0, 3.0, at_most=True)
    return Row(name, None, "not measured", 3.0, 3.0, at_most=True)
