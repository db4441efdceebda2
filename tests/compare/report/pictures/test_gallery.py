from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.figures import judge
from echoproto.compare.report.pictures.gallery import EXPLANATIONS, TITLES, pictures
from echoproto.compare.results import Cell, Results
from echoproto.pages.vega import svg
from tests.compare.runs import TRUTHS, run


def names(results: Results) -> list[str]:
    return [picture.name for picture in pictures(judge(results))]


class PicturesTests(SynchronousTestCase):
    def test_all_of_them(self) -> None:
        self.assertEqual(names(run(rounds=2)), list(TITLES))

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

    def test_each_is_explained(self) -> None:
        self.assertEqual(list(EXPLANATIONS), list(TITLES))
        for text in EXPLANATIONS.values():
            self.assertGreaterEqual(text.count(". "), 1)

    def test_the_version_is_left_to_who_draws(self) -> None:
        for picture in pictures(judge(run(rounds=2))):
            self.assertNotIn("$schema", picture.specification)
            self.assertIn("config", picture.specification)
