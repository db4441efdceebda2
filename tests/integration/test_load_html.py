"""The HTML report of a load in a real browser."""

import re

from tests.integration.browser import WIDTHS, BrowserCase
from tests.load.report.reports import NASTY, histogram, report

ELSEWHERE = "http://elsewhere.invalid/"

OTHER_PAGE = f"""<!doctype html><title>other</title><script>console.error("oh no"); document.title = "changed"</script>
<img src="{ELSEWHERE}a.png">"""
"""What the report must not be, for the test to prove that it would see it."""


def with_charts() -> str:
    """Return a page with both charts, and with text of a peer."""
    from echoproto.load.report.page import page
    from echoproto.pages import vega

    return page(report(response_time=histogram(*[2.0] * 400), first_findings=[NASTY]), vega.svg)


class HtmlTests(BrowserCase):
    def test_it_is_whole_and_alone(self) -> None:
        """Both pictures are there, the browser finds nothing wrong, nothing is run, nobody is asked for anything."""
        text = with_charts()
        dom, console, asked = self.shown(text)
        self.assertEqual((console, asked), ([], []))
        self.assertEqual(dom.count("<svg"), 2)
        for mark in ("mark-line", "mark-rect", "mark-rule", "mark-text"):
            self.assertRegex(dom, rf'<g class="{mark} role-(mark|axis)')
        self.assertNotIn("harmed", re.findall("<title>.*?</title>", dom)[0])
        self.assertIn("&lt;script&gt;", dom)

    def test_it_is_never_wider_than_its_window(self) -> None:
        """A wide table or chart moves by itself."""
        self.assertEqual(self.too_wide(with_charts(), WIDTHS), [(width, 0, 0) for width in WIDTHS for _ in range(2)])

    def test_the_browser_would_tell(self) -> None:
        """Of a page that runs a script, complains, and asks for a picture."""
        dom, console, asked = self.shown(OTHER_PAGE)
        self.assertIn("<title>changed</title>", dom)
        self.assertIn("oh no", console[0])
        self.assertIn(ELSEWHERE, asked[0])
