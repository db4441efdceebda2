"""
The report of a load as one HTML file that needs nothing else: no network, no script.

The pictures are made here, as SVG. A page with Vega's scripts in it would be 900 KB, where this is some 60, and could
not forbid scripts; its readers would gain that a point tells its value, which here a table does.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable
from typing import Any

from echoproto.errors import one_line
from echoproto.load.report.charts import Rows, second_rows, seconds_chart, spectrum_chart, spectrum_rows
from echoproto.load.report.document import Found, Report, document
from echoproto.load.report.table import facts, headline, measured, what_was_done
from echoproto.load.summary import CLIENT_LIMIT, GOOD
from echoproto.units import show_time

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing may be loaded, and nothing run: whatever text there is stays text."""

STYLE = """
body { font: 16px/1.45 sans-serif; color: #222; background: #fff; max-width: 860px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem }
.good { color: #2a7d3f } .limit { color: #9a6a00 } .bad { color: #b3261e }
p { margin: .3rem 0 } svg { max-width: 100%; height: auto; margin-top: .5rem }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .15rem .8rem .15rem 0; text-align: right } th:first-child, td:first-child { text-align: left }
th { font-weight: 600; border-bottom: 1px solid #ccc } .dim { color: #666 }
pre { white-space: pre-wrap; font-size: .8rem }
summary { cursor: pointer; color: #3b6ea5 }
"""

SPECTRUM = (
    "Each step to the right is about the rarer messages: at p99, one in a hundred took at least as long as the line is "
    "high."
)

CLOCKS = (
    " Service time counts from the moment a message was really sent, response time from the moment it was due; "
    "where the two lines part, messages had to wait before they could be sent."
)

SECONDS = (
    "Above, how many messages came back in each second; below, the time that 99 of 100 of them did not exceed. A gap "
    "or a step is a stall, which the figures of the whole run may hide."
)


def page(report: Report, draw: Callable[[dict[str, Any]], str]) -> str:
    """
    The whole page.

    :param draw: makes an SVG of a specification of Vega-Lite; see `draw_svg`.
    """
    outcome, summary = report.outcome, report.summary
    kind = {GOOD: "good", CLIENT_LIMIT: "limit"}.get(summary.verdict, "bad")
    verdict, rest = headline(report).split(":", 1)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{_text(headline(report))}</title><style>{STYLE}</style></head><body>",
        f'<h1><span class="{kind}">{_text(verdict)}</span>:{_text(rest)}</h1>',
        f'<p class="dim">{_text(what_was_done(report))}</p>',
        f'<p class="dim">{_text(", ".join(f"{name} {value}" for name, value in report.environment.items()))}</p>',
        *(f"<p>! {_text(note)}</p>" for note in summary.notes),
        _times(report),
        _facts(report),
    ]
    if report.found is not None:
        parts.append(_steps(report.found))
    spectrum, seconds = spectrum_rows(outcome), second_rows(outcome)
    if spectrum:
        words = SPECTRUM + CLOCKS * (summary.response_time is not None)
        parts += _picture("How long it took", words, draw(spectrum_chart(spectrum)), _spectrum_table(spectrum))
    if any(row["p99"] for row in seconds):
        parts += _picture("How it went", SECONDS, draw(seconds_chart(seconds)), _seconds_table(seconds))
    everything = json.dumps(document(report), indent=1, ensure_ascii=False)
    parts.append(f"<h2>All of it</h2><details><summary>as JSON</summary><pre>{html.escape(everything)}</pre></details>")
    return "\n".join([*parts, "</body></html>", ""])


def draw_svg(specification: dict[str, Any]) -> str:
    """Draw a picture with Vega, which runs in this process and loads nothing."""
    import vl_convert

    return vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])


def _picture(title: str, explanation: str, svg: str, table: str) -> list[str]:
    return [
        f"<h2>{_text(title)}</h2><p>{_text(explanation)}</p>",
        svg,
        f"<details><summary>as a table</summary>{table}</details>",
    ]


def _times(report: Report) -> str:
    rows = list(measured(report))
    if not rows:
        return ""
    return _table(
        ["", *rows[0][1].percentiles],
        ([name, *map(show_time, times.percentiles.values())] for name, times in rows),
    )


def _facts(report: Report) -> str:
    lines = []
    for name, value, bad in facts(report):
        words = f"{name}: {value}" if name else value
        lines.append(f'<p class="{"bad" if bad else "dim"}">{_text(words)}</p>')
    return "\n".join(lines)


def _steps(found: Found) -> str:
    return _table(
        ["rate", found.aim.text, ""],
        (
            [f"{step.rate:,.0f}/s", "" if step.time is None else show_time(step.time), step.result.value]
            for step in found.steps
        ),
    )


def _spectrum_table(rows: Rows) -> str:
    return _table(
        ["clock", "percentile", "time"],
        ([row["clock"], f"{row['percent']:.6g}", show_time(row["time"])] for row in rows),
    )


def _seconds_table(rows: Rows) -> str:
    return _table(
        ["second", "echoes", "errors", "p99"],
        (
            [row["second"], f"{row['echoes']:,}", row["errors"], show_time(row["p99"]) if row["p99"] else ""]
            for row in rows
        ),
    )


def _table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _text(text: object) -> str:
    return html.escape(one_line(str(text)))
