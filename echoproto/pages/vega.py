"""
Vega draws the charts, in this process, and in a page that includes its scripts.
"""

from __future__ import annotations

from typing import Any

import vl_convert

VERSION: str = vl_convert.get_vegalite_versions()[-1]
"""Newest installed version of Vega-Lite."""

PNG_SCALE = 2.0
"""Ratio of a PNG's pixels to the picture's, for sharp text on any screen."""

START = """
for (const place of document.querySelectorAll("script[type='application/json']")) {
  vegaEmbed(place.previousElementSibling, JSON.parse(place.textContent), {
    ast: true, renderer: "svg", actions: false, tooltip: { theme: "light" },
  }).catch(console.error);
}
"""
"""
Script that draws each specification in the element before it. With ``ast``, Vega interprets expressions; without, it
would compile them to functions, which the page's policy would have to allow.
"""


def with_version(specification: dict[str, Any]) -> dict[str, Any]:
    """Return a specification with the version of Vega-Lite that draws it."""
    return {**specification, "$schema": f"https://vega.github.io/schema/vega-lite/v{VERSION}.json"}


def svg(specification: dict[str, Any]) -> str:
    """Draw a picture as SVG, without network access."""
    return vl_convert.vegalite_to_svg(with_version(specification), VERSION, allowed_base_urls=[])


def png(specification: dict[str, Any]) -> bytes:
    """Draw a picture as PNG, without network access."""
    return vl_convert.vegalite_to_png(with_version(specification), VERSION, PNG_SCALE, allowed_base_urls=[])


def script() -> str:
    """Return the script of a page that draws its pictures from the specifications in it."""
    return vl_convert.javascript_bundle(START, VERSION)
