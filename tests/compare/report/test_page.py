import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.analysis.regression import changes
from echoproto.compare.report.advice import advise
from echoproto.compare.report.page import page, policy
from echoproto.compare.report.pictures.gallery import GALLERY, Picture, pictures
from echoproto.compare.results import Cell, Results
from echoproto.load.verdict import LoadVerdict
from tests.compare.runs import TRUTHS, changed, run
from tests.load.report.reports import NASTY

CELL = Cell()
RESULTS = run(cells=[CELL])
SCRIPT = 'draw("</script>")'


class Reader(HTMLParser):
    """Which elements and attributes there are, and what stands in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            self.scripts.append(data)


def versioned(specification: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": "6", **specification}


def shown(results: Results, **extra: Any) -> str:
    figures = judge(results)
    drawn = [(picture, f"<svg><!-- {picture.name} --></svg>") for picture in pictures(figures)]
    return page(figures, advise(figures), shown=drawn, script=SCRIPT, versioned=versioned, **extra)


class PageTests(SynchronousTestCase):
    def test_a_table_that_is_too_wide_moves_by_itself(self) -> None:
        self.assertRegex(shown(RESULTS), r"table \{[^}]*overflow-x: auto")

    def test_only_figures_stand_on_the_right(self) -> None:
        text = shown(RESULTS)
        [selector] = re.findall(r"(?m)^(.+) \{.*text-align: right", text)
        self.assertTrue(selector.startswith(".figures "), selector)
        tables = re.findall(r"<(?:h2|h3)>(.*?)</.*>\s*<table(.*?)>", text)
        expected = [("50 connections, 64B", ' class="figures"'), ("Contestants", ""), ("Environment", "")]
        self.assertEqual(tables, expected)

    def test_each_picture_with_its_explanation(self) -> None:
        text = shown(RESULTS)
        read = Reader(text)
        self.assertEqual(read.tags.count("figure"), 5)
        self.assertIn('<figure id="matrix" class="unscaled"><svg><!-- matrix --></svg></figure>', text)
        for name in ("throughput", "p99", "spectrum", "cost"):
            self.assertIn(f'<figure id="{name}"><svg><!-- {name} --></svg></figure>', text)

    def test_each_picture_of_the_gallery_is_explained(self) -> None:
        some = [(Picture(name, title, {}), "") for name, (title, _) in GALLERY.items()]
        text = page(judge(RESULTS), (), shown=some, script=SCRIPT, versioned=versioned)
        for name, (title, _) in GALLERY.items():
            found = re.search(f"<h2>{title}</h2>\n<p>([^<]*)</p>\n<figure id=.{name}", text)
            assert found is not None
            self.assertGreaterEqual(found[1].count(". "), 1)

    def test_the_policy_allows_this_one_script(self) -> None:
        read = Reader(shown(RESULTS))
        script = read.scripts[-1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        self.assertIn(("content", policy(script)), read.attributes)
        self.assertIn(f"script-src 'sha256-{digest}'", policy(script))
        self.assertNotIn("unsafe-eval", policy(script))
        self.assertEqual(script, 'draw("<\\/script>")')

    def test_nothing_is_loaded(self) -> None:
        read = Reader(shown(RESULTS))
        self.assertFalse({"link", "img", "iframe", "object", "image", "use", "a"} & set(read.tags))
        self.assertFalse({"src", "href", "xlink:href", "onload"} & {name for name, _ in read.attributes})

    def test_tables(self) -> None:
        results = changed(RESULTS, "threads", verdict="lost", why="7 bytes lost")
        results = changed(results, "echo-poll", verdict=LoadVerdict.CLIENT_LIMIT)
        text = shown(results)
        self.assertIn('<td class="verdict bad">failed, because 7 bytes lost</td>', text)
        self.assertIn('<td class="verdict unsure">client-bound: ', text)
        self.assertRegex(text, r'<td class="verdict better">2\.\d\d × \(')
        self.assertRegex(text, r'<td class="verdict ">baseline</td>')
        self.assertRegex(shown(evolve(RESULTS, baseline="uvloop-protocol")), r'<td class="verdict worse">0\.\d\d × \(')

    def test_who_and_where(self) -> None:
        text = shown(RESULTS)
        self.assertIn("<td>the server called threads</td><td>./server {port}</td>", text)
        self.assertIn("<td>kernel</td><td>Linux 6.18</td>", text)
        self.assertIn("<code>echoproto compare</code>", text)

    def test_what_has_changed(self) -> None:
        self.assertNotIn("since then", shown(RESULTS))
        text = shown(RESULTS, changes=changes(judge(RESULTS), judge(RESULTS)))
        self.assertIn("<h2>since the earlier run: 0 of 4 worse than is tolerated</h2>", text)
        self.assertIn("<th>since then</th>", text)

    def test_what_others_have_written_is_text(self) -> None:
        truths = {NASTY: TRUTHS["threads"], "twisted-epoll": TRUTHS["twisted-epoll"]}
        results = run(truths, [CELL])
        contestants = tuple(evolve(each, command=(NASTY,), description=NASTY) for each in results.contestants)
        results = evolve(results, preset=NASTY, command=NASTY, environment={NASTY: NASTY}, contestants=contestants)
        for each in (results, changed(results, NASTY, verdict="failed", why=NASTY)):
            text = shown(each)
            self.assertNotIn("<script>document", text)
            self.assertEqual(Reader(text).tags.count("script"), 1 + Reader(text).tags.count("figure"))

    def test_no_picture(self) -> None:
        text = shown(evolve(RESULTS, samples=(), calls=()))
        self.assertNotIn("<figure", text)
        self.assertIn("not measured", text)

    def test_specifications_are_those_of_the_pictures(self) -> None:
        picture = Picture("p", "title", {"x": "</script><b>"})
        text = page(judge(RESULTS), (), shown=[(picture, "")], script=SCRIPT, versioned=versioned)
        found = re.findall(r'<script type="application/json">(.*?)</script>', text)
        self.assertEqual(found, ['{"$schema": "6", "x": "\\u003c/script\\u003e\\u003cb\\u003e"}'])
