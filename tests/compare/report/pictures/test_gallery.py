from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.gallery import GALLERY, p99, pictures, throughput
from echoproto.compare.results import Cell, Results
from echoproto.pages.vega import svg
from tests.compare.report.pictures.drawing import texts
from tests.compare.report.test_words import MIXED
from tests.compare.runs import TRUTHS, run


def names(results: Results) -> list[str]:
    return [picture.name for picture in pictures(judge(results))]


class PicturesTests(SynchronousTestCase):
    def test_all_of_them(self) -> None:
        self.assertEqual(names(run(rounds=2)), list(GALLERY))

    def test_only_those_that_there_is_something_for(self) -> None:
        one = run({"one": TRUTHS["threads"]}, [Cell(rate=1.0)], rounds=2, baseline="one")
        self.assertEqual(names(one), ["p99", "spectrum", "cost"])
        self.assertEqual(names(evolve(one, samples=(), calls=())), [])

    def test_names_that_no_picture_can_hold(self) -> None:
        """A control character in one, or half a pair of surrogates, would end the process that draws it."""
        results = run(TRUTHS, [Cell()], rounds=2)
        renamed = {each.name: f"{each.name}\x1b[31m\udcff" for each in results.contestants}
        results = evolve(
            results,
            baseline=renamed[results.baseline],
            contestants=tuple(evolve(each, name=renamed[each.name]) for each in results.contestants),
            samples=tuple(evolve(each, contestant=renamed[each.contestant]) for each in results.samples),
            calls=(),
        )
        for picture in pictures(judge(results)):
            self.assertIn("threads\\x1b[31m", svg(picture.specification))

    def test_the_theme_is_that_of_all(self) -> None:
        for picture in pictures(judge(run(rounds=2))):
            self.assertEqual(picture.specification["config"]["legend"]["orient"], "top")


class OverLoadsTests(SynchronousTestCase):
    def test_along_an_axis(self) -> None:
        for draw in (throughput, p99):
            found = texts(draw(judge(run())))
            self.assertIn("Idle connections", found)
            self.assertEqual(found.count("50 connections, 64B"), 1)

    def test_without_one(self) -> None:
        results = run(cells=[Cell(churn="fin"), Cell(churn="reset")])
        for draw in (throughput, p99):
            found = texts(draw(judge(results)))
            self.assertEqual(len([text for text in found if text.endswith(("closed by FIN", "closed by RESET"))]), 2)
            self.assertEqual(found.count("threads"), 2)

    def test_both(self) -> None:
        """And with a rate, throughput says nothing."""
        results = run(cells=MIXED)
        self.assertIn("10 connections, 10KiB", texts(throughput(judge(results))))
        self.assertNotIn("50 connections, 64B, 2,000/s", texts(throughput(judge(results))))
        self.assertIn("50 connections, 64B, 2,000/s", texts(p99(judge(results))))

    def test_only_rates(self) -> None:
        self.assertIsNone(throughput(judge(run(cells=[Cell(rate=1.0)], rounds=1))))

    def test_nothing_was_measured(self) -> None:
        self.assertIsNone(throughput(judge(evolve(run(rounds=1), samples=()))))

    def test_only_one_place_has_figures(self) -> None:
        results = run(rounds=2)
        some = [each for each in results.samples if each.cell.idle == 100]
        self.assertNotIn(
            "Idle connections",
            texts(throughput(judge(evolve(results, samples=tuple(some))))),
        )
