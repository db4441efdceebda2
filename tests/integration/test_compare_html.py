"""The HTML report of a comparison in a real browser."""

import re

from attrs import evolve

from tests.compare.runs import TRUTHS, run
from tests.integration.browser import BrowserCase
from tests.load.reports import NASTY


class HtmlTests(BrowserCase):
    def test_it_is_whole_and_alone(self) -> None:
        """Vega draws all pictures, the browser finds nothing wrong, and nobody is asked for anything."""
        from echoproto.compare import vega
        from echoproto.compare.page import page
        from echoproto.compare.pictures import pictures
        from echoproto.compare.summary import advise
        from echoproto.compare.verdict import verdicts

        truths = {**TRUTHS, NASTY: TRUTHS["threads"]}
        results = evolve(run(truths), preset=NASTY, command=NASTY)
        said = verdicts(results)
        found = pictures(results, said)
        shown = [(picture, "<svg>not drawn</svg>") for picture in found]
        script, advice = vega.script(), advise(results, said)
        text = page(results, said, advice, shown=shown, script=script, versioned=vega.with_version)
        dom, console, asked = self.shown(text)
        self.assertEqual(console, [])
        self.assertEqual(asked, [])
        figures = dict(re.findall('<figure id="(.*?)" class="vega-embed"(.*?)</figure>', dom, re.DOTALL))
        self.assertEqual(list(figures), [picture.name for picture in found])
        for name, figure in figures.items():
            self.assertFalse("not drawn" in figure, name)
            self.assertTrue('<g class="mark-text role-mark' in figure, name)
            self.assertTrue(">echo-epoll<" in figure, name)
        self.assertTrue(">&lt;/svg&gt;&lt;script&gt;document" in figures["matrix"])
        self.assertEqual(re.findall("<title>(comparison|harmed)", dom), ["comparison"])
