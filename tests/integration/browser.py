"""A page in a real browser: what becomes of it, what the browser finds wrong, and whom it asks for more."""

import html
import json
import os
import re
import shutil
import socketserver
import threading

from tests.integration.twistd import PATIENCE, TwistdCase, tool

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Of which any will do."""

THE_BROWSERS_OWN = r"^\S+ (https?://)?[\w.-]+\.(google|googleapis|gvt1)\.com|^$"
"""What Chromium asks its makers for, whatever page it shows, and connections on which nothing came."""

TIME = 5_000
"""ms of the browser's own clock, which stands still while it works, that the scripts of a page have."""

WIDTHS = (360, 400, 600, 1000)
"""Pixels of windows, from a telephone's on."""

FRAMES = """<!doctype html><meta charset="utf-8"><body><script>
const text = %s;
for (const width of %s) for (const sandbox of [null, "allow-same-origin"]) {
  const frame = document.createElement("iframe");
  Object.assign(frame, { width, height: 800, srcdoc: text });
  if (sandbox) frame.sandbox = sandbox;
  frame.style.border = 0;
  document.body.append(frame);
}
setInterval(() => {
  document.body.dataset.seen = JSON.stringify(Array.from(document.querySelectorAll("iframe"), frame => {
    const page = frame.contentDocument, whole = page.documentElement;
    const drawn = page.querySelectorAll(".vega-embed").length;
    return [frame.contentWindow.innerWidth, drawn, whole.scrollWidth - whole.clientWidth];
  }));
}, 100);
</script>
"""
"""A page in windows of several widths: in each as it is, and with its scripts kept from running."""


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


class BrowserCase(TwistdCase):
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
                *("--disable-quic", "--disable-sync", "--disable-component-update", "--enable-logging=stderr"),
                f"--virtual-time-budget={TIME}",
                *(f"--user-data-dir={folder}/profile", f"--proxy-server=127.0.0.1:{proxy.server_address[1]}"),
                *("--dump-dom", f"file://{folder}/page.html"),
                seconds=4 * PATIENCE,  # it is large, and all of it is read from the disk at first
            )
            self.assertEqual(ended.returncode, 0, ended.stderr)
            asked = [line for line in proxy.asked if not re.search(THE_BROWSERS_OWN, line)]
            return ended.stdout, re.findall(r"CONSOLE.*", ended.stderr), asked

    def too_wide(self, text: str, widths: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """
        By how much a page is wider than windows of some widths, each with its scripts and without them.

        :return: of each, the window's width, how many pictures Vega has drawn in it, and the pixels that are too many.
        """
        dom, *_ = self.shown(FRAMES % (json.dumps(text).replace("<", "\\u003c"), list(widths)))
        found = re.search('data-seen="(.*?)"', dom)
        assert found is not None, "the frames were not looked at"
        return [(width, drawn, beyond) for width, drawn, beyond in json.loads(html.unescape(found[1]))]
