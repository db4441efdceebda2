"""Texts in a picture."""

from __future__ import annotations

import re

import altair as alt

from echoproto.pages import vega
from echoproto.pages.charts import specification


def texts(chart: alt.TopLevelMixin | None) -> list[str]:
    """Return all that is written in a picture, as Vega draws it."""
    assert chart is not None
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)</", vega.svg(specification(chart)))
