"""
The report of a load as one HTML file, without network access or scripts.

This program draws the charts as SVG. A page with Vega's scripts would have 900 KB in place of 60, and could not forbid
scripts. It would only gain tooltips with values; here, a table shows the values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from markupsafe import escape

from echoproto.load.report.charts import second_rows, seconds_chart, spectrum_chart, spectrum_rows
from echoproto.load.report.document import Report, document
from echoproto.load.report.table import facts, headline, measured, what_was_done
from echoproto.load.verdict import LoadVerdict
from echoproto.pages.charts import specification
from echoproto.pages.template import render
from echoproto.units import show_time

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy: the browser loads nothing and runs nothing, so all text stays text."""


def page(report: Report, draw: Callable[[dict[str, Any]], str]) -> str:
    """
    Return the whole page.

    :param draw: a function that makes an SVG of a Vega-Lite specification, as `echoproto.pages.vega.svg`.
    """
    spectrum, seconds = spectrum_rows(report.outcome), second_rows(report.outcome)
    timed = any(row["p99"] for row in seconds)
    verdict, result = headline(report).split(":", 1)
    return render(
        "echoproto.load.report",
        "load.html",
        policy=POLICY,
        title=headline(report),
        verdict=verdict,
        result=result,
        kind={LoadVerdict.GOOD: "good", LoadVerdict.CLIENT_LIMIT: "unsure"}.get(report.summary.verdict, "bad"),
        done=what_was_done(report),
        report=report,
        times=list(measured(report)),
        facts=facts(report),
        spectrum=spectrum,
        spectrum_svg=draw(specification(spectrum_chart(spectrum))) if spectrum else None,
        seconds=seconds,
        seconds_svg=draw(specification(seconds_chart(seconds))) if timed else None,
        everything=escape(json.dumps(document(report), indent=1, ensure_ascii=False)),
        show_time=show_time,
    )
