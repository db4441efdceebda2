from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from checks.private_names import ROOT, lowest


class LowestTests(SynchronousTestCase):
    def test_of_a_project(self) -> None:
        self.assertEqual(lowest('[project]\ndependencies = ["attrs>=23.1", "twisted>=26.4"]'), "twisted==26.4.*")

    def test_of_this_project(self) -> None:
        self.assertRegex(lowest(Path(ROOT, "pyproject.toml").read_text("utf-8")), r"^twisted==\d+\.\d+\.\*$")
