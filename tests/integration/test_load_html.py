"""The HTML report in a real browser."""

import os
import re
import shutil
import socketserver
import threading

from tests.integration.twistd import PATIENCE, TwistdCase, tool
from tests.load.reports import NASTY, histogram, report

ELSEWHERE = "http://elsewhere.invalid/"

OTHER_PAGE = f"""<!doctype html><title>other</title><script>console.error("oh no"); document.title = "changed"</script>
<img src="{ELSEWHERE}a.png">"""
"""What the report must not be, for the test to prove that it would see it."""


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Of which any will do."""

THE_BROWSERS_OWN = r"^\S+ (https?://)?[\w.-]+\.(google|googleapis|gvt1)\.com|^$"
"""What Chromium asks its makers for, whatever page it shows, and connections on which nothing came."""


class Proxy(socketserver.ThreadingTCPServer):
    """Everything that the browser would fetch goes through this, and gets nothing; it keeps what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Request)

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *why: object) -> None:
        self.shutdown()
        self.server_close()


class Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.append(self.rfile.readline().decode("latin-1"))


class HtmlTests(TwistdCase):
    def shown(self, text: str) -> tuple[str, list[str], list[str]]:
        """What a browser makes of a page: its elements, what is on its console, and what it has asked others for."""
        browser = tool(self, next(filter(shutil.which, BROWSERS), BROWSERS[0]))
        folder = self.folder()
        with open(os.path.join(folder, "page.html"), "w", encoding="utf-8") as file:
            file.write(text)
        with Proxy() as proxy:
            ended = self.run_to_end(
                browser,
                *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
                *(
                    "--disable-quic",
                    "--disable-sync",
                    "--disable-component-update",
                    "--enable-logging=stderr",
                    "--virtual-time-budget=500",
                ),
                *(f"--user-data-dir={folder}/profile", f"--proxy-server=127.0.0.1:{proxy.server_address[1]}"),
                *("--dump-dom", f"file://{folder}/page.html"),
                seconds=4 * PATIENCE,  # it is large, and all of it is read from the disk at first
            )
            self.assertEqual(ended.returncode, 0, ended.stderr)
            asked = [line for line in proxy.asked if not re.search(THE_BROWSERS_OWN, line)]
            return ended.stdout, re.findall(r"CONSOLE.*", ended.stderr), asked

    def test_it_is_whole_and_alone(self) -> None:
        """Both pictures are there, the browser finds nothing wrong, nothing is run, nobody is asked for anything."""
        from echoproto.load.page import draw_svg, page

        text = page(report(response_time=histogram(*[2.0] * 400), first_findings=[NASTY]), draw_svg)
        dom, console, asked = self.shown(text)
        self.assertEqual((console, asked), ([], []))
        self.assertEqual(dom.count("<svg"), 2)
        for mark in ("mark-line", "mark-rect", "mark-rule", "mark-text"):
            self.assertRegex(dom, rf'<g class="{mark} role-(mark|axis)')
        self.assertNotIn("harmed", re.findall("<title>.*?</title>", dom)[0])
        self.assertIn("&lt;script&gt;", dom)

    def test_the_browser_would_tell(self) -> None:
        """Of a page that runs a script, complains, and asks for a picture."""
        dom, console, asked = self.shown(OTHER_PAGE)
        self.assertIn("<title>changed</title>", dom)
        self.assertIn("oh no", console[0])
        self.assertIn(ELSEWHERE, asked[0])
