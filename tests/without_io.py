"""
The modules that have no I/O: their tests cover every branch, and they import nothing that has.

``python -m tests.without_io`` prints their files, for ``coverage report --include``.
"""

from __future__ import annotations

FILES = (
    "echoproto/compare/against.py",
    "echoproto/compare/cells.py",
    "echoproto/compare/choice.py",
    "echoproto/compare/joining.py",
    "echoproto/compare/measures.py",
    "echoproto/compare/options.py",
    "echoproto/compare/page.py",
    "echoproto/compare/pictures/bars.py",
    "echoproto/compare/pictures/charts.py",
    "echoproto/compare/pictures/curves.py",
    "echoproto/compare/pictures/gallery.py",
    "echoproto/compare/pictures/labels.py",
    "echoproto/compare/pictures/loads.py",
    "echoproto/compare/pictures/matrix.py",
    "echoproto/compare/pictures/rows.py",
    "echoproto/compare/plan.py",
    "echoproto/compare/presets.py",
    "echoproto/compare/results.py",
    "echoproto/compare/rounds.py",
    "echoproto/compare/sameness.py",
    "echoproto/compare/statistics.py",
    "echoproto/compare/summary.py",
    "echoproto/compare/verdict.py",
    "echoproto/datagram.py",
    "echoproto/errors.py",
    "echoproto/load/arrivals.py",
    "echoproto/load/caution.py",
    "echoproto/load/charts.py",
    "echoproto/load/datagrams.py",
    "echoproto/load/diagnosis.py",
    "echoproto/load/errors.py",
    "echoproto/load/exchange.py",
    "echoproto/load/options.py",
    "echoproto/load/outcome.py",
    "echoproto/load/payload.py",
    "echoproto/load/proxyheader.py",
    "echoproto/load/report.py",
    "echoproto/load/schedule.py",
    "echoproto/load/search.py",
    "echoproto/load/searching.py",
    "echoproto/load/shares.py",
    "echoproto/load/summary.py",
    "echoproto/load/target.py",
    "echoproto/load/times.py",
    "echoproto/load/units.py",
    "echoproto/load/verdict.py",
    "echoproto/protocol.py",
    "echoproto/reactors/clock.py",
    "echoproto/server/connectionlog.py",
    "echoproto/server/counters.py",
    "echoproto/server/eventlog.py",
    "echoproto/server/kinds.py",
    "echoproto/server/settings.py",
    "echoproto/server/workers/messages.py",
    "echoproto/server/workers/shares.py",
    "echoproto/server/workers/totals.py",
)

if __name__ == "__main__":
    print(",".join(FILES))
