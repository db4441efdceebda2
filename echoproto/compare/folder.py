"""
Names of the files that a comparison writes into its folder.
"""

from __future__ import annotations

RESULTS = "results.json"
PAGE = "report.html"

PICTURES = ("matrix", "throughput", "p99", "spectrum", "cost", "memory")
"""Names of all pictures; each is a PNG and an SVG."""

NAMES = (RESULTS, PAGE, *(f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")))
