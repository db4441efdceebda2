"""The HTML report of a comparison in a real browser."""

import re

from attrs import evolve

from echoproto.compare.results import Results
from tests.compare.runs import TRUTHS, run
from tests.integration.browser import WIDTHS, BrowserCase
from tests.load.report.reports import NASTY

LONG = 200 * "n"
"""A word that no window has room for."""


def report(results: Results, svg: str) -> tuple[str, list[str]]:
    """
    The page, and the names of the pictures in it.

    :param svg: stands for each picture until Vega has drawn it.
    """
    from echoproto.compare.analysis.figures import judge
    from echoproto.compare.report.advice import advise
    from echoproto.compare.report.page import page
    from echoproto.compare.report.pictures.gallery import pictures
    from echoproto.pages import vega

    figures = judge(results)
    shown = [(picture, svg) for picture in pictures(figures)]
    script, advice = vega.script(), advise(figures)
    text = page(figures, advice, shown=shown, script=script, versioned=vega.with_version)
    return text, [picture.name for picture, _ in shown]


class HtmlTests(BrowserCase):
    def test_it_is_whole_and_alone(self) -> None:
        """Vega draws all pictures, the browser finds nothing wrong, and nobody is asked for anything."""
        results = evolve(run({**TRUTHS, NASTY: TRUTHS["threads"]}), preset=NASTY, command=NASTY)
        text, names = report(results, "<svg>not drawn</svg>")
        dom, console, asked = self.shown(text)
        self.assertEqual(console, [])
        self.assertEqual(asked, [])
        figures = dict(re.findall('<figure id="(.*?)" class="(?:unscaled )?vega-embed"(.*?)</figure>', dom, re.DOTALL))
        self.assertEqual(list(figures), names)
        for name, figure in figures.items():
            self.assertFalse("not drawn" in figure, name)
            self.assertTrue('<g class="mark-text role-mark' in figure, name)
            self.assertTrue(">echo-epoll<" in figure, name)
        self.assertTrue(">&lt;/svg&gt;&lt;script&gt;document" in figures["matrix"])
        self.assertEqual(re.findall("<title>(comparison|harmed)", dom), ["comparison"])

    def test_it_is_never_wider_than_its_window(self) -> None:
        """What is wide moves by itself: pictures, also those that no script has drawn, tables, and long words."""
        results = run({**TRUTHS, LONG: TRUTHS["threads"]}, rounds=2)
        results = evolve(results, preset=LONG, command=LONG, environment={LONG: LONG})
        text, names = report(results, '<svg width="1500" height="5"></svg>')
        expected = [(width, drawn, 0) for width in WIDTHS for drawn in (len(names), 0)]
        self.assertEqual(self.too_wide(text, WIDTHS), expected)
