"""
A comparison is told: at the terminal, and in files.
"""

from __future__ import annotations

import json
import os

from rich.console import Console

from echoproto.compare.results import Results, document
from echoproto.compare.summary import advise
from echoproto.compare.table import print_results
from echoproto.compare.verdict import verdicts
from echoproto.errors import UnavailableError

RESULTS = "results.json"
PAGE = "report.html"


def show(results: Results, console: Console) -> None:
    """Print tables and summary."""
    said = verdicts(results)
    print_results(console, results, said, advise(results, said))


def write(results: Results, folder: str, console: Console) -> None:
    """
    Print tables and summary, and write everything into a folder, which is made if it is not there.

    The results come first, so that nothing is lost if drawing fails.

    :raise UnavailableError: if a file can't be written.
    """
    said = verdicts(results)
    advice = advise(results, said)
    try:
        os.makedirs(folder, exist_ok=True)
        _save(folder, RESULTS, json.dumps(document(results), indent=1) + "\n")
        print_results(console, results, said, advice)
        # Only here, since altair takes a second to import, and is an extra.
        from echoproto.compare import vega
        from echoproto.compare.page import page
        from echoproto.compare.pictures import pictures

        shown = [(picture, vega.svg(picture.specification)) for picture in pictures(results, said)]
        for picture, svg in shown:
            _save(folder, f"{picture.name}.svg", svg)
            _save(folder, f"{picture.name}.png", vega.png(picture.specification))
        _save(folder, PAGE, page(results, said, advice, shown=shown, script=vega.script(), versioned=vega.with_version))
    except OSError as error:
        raise UnavailableError(f"{folder}: {error.strerror or error}") from error


def _save(folder: str, name: str, data: str | bytes) -> None:
    """Write a file whole, or not at all: an interrupted run leaves the one before."""
    path = os.path.join(folder, name)
    with open(f"{path}.new", "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.replace(f"{path}.new", path)
