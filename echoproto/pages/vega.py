"""
Vega, which draws the charts: in this process, and in a page that takes its scripts along.
"""

from __future__ import annotations

from typing import Any

import vl_convert

VERSION: str = vl_convert.get_vegalite_versions()[-1]
"""Of Vega-Lite, the newest that there is here."""

PNG_SCALE = 2.0
"""Pixels of a PNG for each of the picture, so that it is sharp on any screen."""

START = """
for (const place of document.querySelectorAll("script[type='application/json']")) {
  vegaEmbed(place.previousElementSibling, JSON.parse(place.textContent), {
    ast: true, renderer: "svg", actions: false, tooltip: { theme: "light" },
  }).catch(console.error);
}
"""
"""
Draws in the element before each specification what it specifies. With ``ast``, Vega interprets the expressions in it;
by itself it would make functions of them, and the page would have to allow that.
"""


def with_version(specification: dict[str, Any]) -> dict[str, Any]:
    """Return a specification with the version of Vega-Lite that draws it."""
    return {**specification, "$schema": f"https://vega.github.io/schema/vega-lite/v{VERSION}.json"}


def svg(specification: dict[str, Any]) -> str:
    """Draw a picture as SVG; nothing is loaded."""
    return vl_convert.vegalite_to_svg(with_version(specification), VERSION, allowed_base_urls=[])


def png(specification: dict[str, Any]) -> bytes:
    """Draw a picture as PNG; nothing is loaded."""
    return vl_convert.vegalite_to_png(with_version(specification), VERSION, PNG_SCALE, allowed_base_urls=[])


def script() -> str:
    """Return all that a browser needs to draw the pictures of a page that holds their specifications."""
    return vl_convert.javascript_bundle(START, VERSION)
