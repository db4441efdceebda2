"""
The report of a comparison: at the terminal, and in files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec

from rich.console import Console
from rich.text import Text

from echoproto.compare.analysis.figures import Figures
from echoproto.compare.analysis.regression import Change
from echoproto.compare.folder import NAMES, PAGE, RESULTS
from echoproto.compare.report.advice import Advice, advise
from echoproto.compare.report.table import print_changes, print_results
from echoproto.compare.results import document
from echoproto.compare.resultsfile import read_file
from echoproto.host.files import remove, save_whole

__all__ = ["read_file", "write"]


def write(figures: Figures, folder: str | None, console: Console, changes: Sequence[Change] | None = None) -> None:
    """
    Write all files into a folder, which is made if missing, and print tables and summary.

    The results come first, so that a failure in drawing loses nothing; the output comes last, so that a failed print
    loses no file.

    :param folder: the folder; ``None`` to write no files.
    :param changes: changes since an earlier run, if there was one.
    :raise OutputError: if a file or standard output can't be written.
    """
    advice = advise(figures)
    drawn = all(find_spec(name) is not None for name in ("altair", "hdrh", "jinja2", "vl_convert"))
    try:
        if folder is not None:
            save_whole(folder, RESULTS, json.dumps(document(figures.results), indent=1) + "\n")
            for name in NAMES:
                if name != RESULTS:
                    remove(folder, name)  # it shows other results, and is not drawn each time
            if drawn:
                _draw(figures, folder, advice, changes or ())
    finally:
        print_results(console, figures, advice)
        if changes is not None:
            print_changes(console, changes)
        if folder is not None and not drawn:
            why = "they need the extra 'compare': pip install 'echoproto[compare]'"
            console.print(Text(f"! no pictures: {why}", style="yellow"))


def _draw(figures: Figures, folder: str, advice: Sequence[Advice], changes: Sequence[Change]) -> None:
    """Write pictures and page."""
    # Imported late: altair is optional, and takes a second to import.
    from echoproto.compare.report.page import page
    from echoproto.compare.report.pictures.gallery import pictures
    from echoproto.pages import vega

    shown = [(picture, vega.svg(picture.specification)) for picture in pictures(figures)]
    for picture, svg in shown:
        save_whole(folder, f"{picture.name}.svg", svg)
        save_whole(folder, f"{picture.name}.png", vega.png(picture.specification))
    text = page(figures, advice, shown=shown, script=vega.script(), versioned=vega.with_version, changes=changes)
    save_whole(folder, PAGE, text)
