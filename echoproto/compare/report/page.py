"""
The report of a comparison as one HTML file that includes Vega's scripts, and uses no network.

It has a megabyte, for interactive pictures. Before Vega has drawn them, and without scripts, the page shows the same
pictures as SVG. The page's policy allows this one script, by its hash, and no loading.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.regression import Change
from echoproto.compare.analysis.verdict import Kind, Verdict
from echoproto.compare.report.advice import Advice
from echoproto.compare.report.pictures.gallery import Picture
from echoproto.compare.report.table import TITLES, changes_headline, headline, medians
from echoproto.compare.report.words import describe
from echoproto.pages.template import render

STYLES = {
    Kind.FAILED: "bad",
    Kind.NOT_POSSIBLE: "dim",
    Kind.NOT_MEASURED: "dim",
    Kind.CLIENT_BOUND: "unsure",
    Kind.NOISY: "unsure",
}
"""Classes of verdicts in the style sheet; a difference is better or worse by its direction."""


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
    Return the whole page.

    :param shown: pictures, each with its SVG.
    :param script: the script that draws the pictures.
    :param versioned: a function that adapts a specification to the script's version of Vega-Lite.
    :param changes: changes since an earlier run, if there was one.
    """
    script = script.replace("</script", "<\\/script")
    return render(
        "echoproto.compare.report",
        "compare.html",
        policy=policy(script),
        title=headline(figures.results),
        figures=figures,
        results=figures.results,
        advice=advice,
        changes=changes,
        changes_headline=changes_headline,
        shown=[(picture, svg, versioned(picture.specification)) for picture, svg in shown],
        columns=TITLES,
        medians=medians,
        describe=describe,
        style=style,
        script=script,
    )


def policy(script: str) -> str:
    """Return the policy of a page that runs this one script, with its styles."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def style(verdict: Verdict) -> str:
    """Return the class of a verdict in the style sheet."""
    if verdict.kind is Kind.DIFFERENT:
        return "better" if verdict.better else "worse"
    return STYLES.get(verdict.kind, "")
