"""What is in a picture."""

from __future__ import annotations

import re
from typing import Any

import altair as alt

from echoproto.compare.report.pictures.charts import THEME
from echoproto.pages import vega


def texts(chart: alt.TopLevelMixin | None) -> list[str]:
    """All that is written in a picture, as Vega draws it."""
    assert chart is not None
    specification: dict[str, Any] = {**chart.to_dict(), "config": THEME}
    specification.pop("$schema")
    return re.findall(r"<(?:text|tspan)[^>]*>([^<]+)</", vega.svg(specification))
