"""
The report of a comparison as one HTML file that needs nothing else: Vega's scripts are in it, and no network is used.

That makes it a megabyte, for pictures that answer a pointer. Until Vega has drawn them, and where no script is run,
there are the same ones as SVG. The page's policy allows this one script, by its hash, and nothing to be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from echoproto.compare.analysis.figures import Figure, Figures
from echoproto.compare.analysis.regression import Change
from echoproto.compare.analysis.verdict import Kind, Verdict
from echoproto.compare.report.advice import Advice
from echoproto.compare.report.pictures.gallery import Picture
from echoproto.compare.report.table import TITLES, changes_headline, headline, medians
from echoproto.compare.report.words import describe
from echoproto.errors import one_line

STYLE = """
body { font: 16px/1.5 sans-serif; color: #222; background: #fff; max-width: 960px; margin: 2rem auto; padding: 0 1rem }
body { overflow-wrap: break-word }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem }
h3 { font-size: 1rem; margin: 1rem 0 .2rem }
p { margin: .3rem 0; max-width: 50rem } ul { margin: .2rem 0; padding-left: 1.2rem }
figure { margin: .5rem 0; max-width: 100%; overflow-x: auto } figure svg { max-width: none }
table { display: block; overflow-x: auto }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .15rem .9rem .15rem 0; text-align: left; vertical-align: top }
.figures :is(th, td):not(:last-child) { white-space: nowrap }
.figures :is(th, td):not(:first-child, :last-child) { text-align: right }
.figures :is(th, td):last-child { min-width: 14rem }
th { font-weight: 600; border-bottom: 1px solid #ccc } .dim { color: #666 } .bad { color: #b3261e }
.good { color: #1d5fa0 } .worse { color: #a44a0c } .unsure { color: #7a5a00 }
code { font-size: .9em; overflow-wrap: anywhere }
"""

CLASSES = {
    Kind.FAILED: "bad",
    Kind.NOT_POSSIBLE: "dim",
    Kind.NOT_MEASURED: "dim",
    Kind.CLIENT_BOUND: "unsure",
    Kind.NOISY: "unsure",
}
"""Of verdicts; those that are a difference are good or worse by what it is."""


def page(
    figures: Figures,
    advice: Sequence[Advice],
    *,
    shown: Sequence[tuple[Picture, str]],
    script: str,
    versioned: Callable[[dict[str, Any]], dict[str, Any]],
    changes: Sequence[Change] = (),
) -> str:
    """
    The whole page.

    :param shown: pictures, each with what it looks like as SVG.
    :param script: that draws the pictures.
    :param versioned: makes a specification for the Vega-Lite that is in the script.
    :param changes: since an earlier run, if there was one.
    """
    results = figures.results
    script = script.replace("</script", "<\\/script")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy(script)}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{_text(headline(results))}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_text(headline(results))}</h1>",
        f'<p class="dim"><code>{_text(results.command)}</code></p>',
    ]
    for each in advice:
        parts.append(f"<h2>{_text(each.title)}</h2><ul>")
        parts += [f"<li>{_text(line)}</li>" for line in each.lines]
        parts.append("</ul>")
    if changes:
        parts += [f"<h2>{_text(changes_headline(changes))}</h2>", _changes(changes)]
    for picture, svg in shown:
        parts += [
            f"<h2>{_text(picture.title)}</h2><p>{_text(picture.explanation)}</p>",
            f'<figure id="{picture.name}">{svg}</figure>',
            f'<script type="application/json">{_json(versioned(picture.specification))}</script>',
        ]
    parts.append("<h2>The figures</h2>")
    for cell in results.cells:
        parts.append(f"<h3>{_text(describe(cell))}</h3>")
        parts.append(_table(figures.under(cell), results.baseline))
    parts += [
        "<h2>Who was compared</h2>",
        _rows(
            ["", "", "command"], ([each.name, each.description, " ".join(each.command)] for each in results.contestants)
        ),
        "<h2>Where it was measured</h2>",
        _rows(["", ""], ([name, value] for name, value in results.environment.items())),
        f"<script>{script}</script></body></html>",
        "",
    ]
    return "\n".join(parts)


def policy(script: str) -> str:
    """What the page may do: run this one script, and style what it draws."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _table(figures: Iterable[Figure], baseline: str) -> str:
    rows = []
    for each in figures:
        told = "".join(f"<td>{_text(cell)}</td>" for cell in (each.contestant.name, *medians(each)))
        rows.append(f'<tr>{told}<td class="{_class(each.verdict)}">{_text(each.verdict)}</td></tr>')
    titles = ("", *TITLES, f"beside {baseline}")
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    return "\n".join([f'<table class="figures"><tr>{head}</tr>', *rows, "</table>"])


def _changes(changes: Iterable[Change]) -> str:
    rows = [(change.contestant, describe(change.cell), change) for change in changes]
    return _rows(["", "load", "since then"], rows)


def _class(verdict: Verdict) -> str:
    if verdict.kind is Kind.DIFFERENT:
        return "good" if verdict.better else "worse"
    return CLASSES.get(verdict.kind, "")


def _rows(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _text(text: object) -> str:
    return html.escape(one_line(str(text)))


def _json(value: object) -> str:
    """JSON that ends no script, whatever is in it."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")
