import json
import os
from typing import Any

from attrs import evolve
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from echoproto.cli.group import main
from echoproto.compare.results import Cell, Results, document
from tests.compare.runs import ENVIRONMENT, TRUTHS, run

FEW = {name: TRUTHS[name] for name in ("echo-epoll", "twisted-epoll", "asyncio-protocol")}
RESULTS = run(FEW, [Cell()], rounds=5)
SLOWER = run({**FEW, "echo-epoll": evolve(FEW["echo-epoll"], rate=95_000)}, [Cell()], rounds=5, seed=2)


class ReportTests(SynchronousTestCase):
    def file(self, results: Results) -> str:
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document(results), file)
        return path

    def report(self, *words: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, ["report", *words])
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def complaint(self, *words: str) -> str:
        result = self.report(*words, status=2)
        [line] = result.stderr.splitlines()
        self.assertEqual(result.stdout, "")
        return line

    def test_one_run(self) -> None:
        self.assertIn("5 rounds of 1 s", self.report(self.file(RESULTS)).stdout)

    def test_joined(self) -> None:
        self.assertIn("10 rounds of 1 s", self.report(self.file(RESULTS), self.file(SLOWER)).stdout)

    def test_written(self) -> None:
        folder = self.mktemp()
        self.report(self.file(RESULTS), "--output", folder)
        self.assertIn("report.html", os.listdir(folder))
        self.assertIn("3 contestants", self.report(folder).stdout)

    def test_against(self) -> None:
        slower, before = self.file(SLOWER), self.file(RESULTS)
        self.assertIn("0 of 1 worse", self.report(before, "--against", before).stdout)
        self.assertIn("1 of 1 worse", self.report(slower, "--against", before, status=1).stdout)
        self.assertIn("0 of 1 worse", self.report(slower, "--against", before, "--tolerance", "15").stdout)
        self.assertIn("better: 1.1", self.report(before, "--against", slower).stdout)

    def test_other_environments(self) -> None:
        changed: dict[str, Any] = {**ENVIRONMENT, "cores": 4}
        here, there = self.file(RESULTS), self.file(evolve(SLOWER, environment=changed))
        for words in ((here, there), (here, "--against", there)):
            self.assertIn("cores is '2' and '4'", self.complaint(*words))
            self.report(*words, "--different-environments")

    def test_a_run_is_not_joined_with_itself(self) -> None:
        self.assertIn("a run is there twice", self.complaint(self.file(RESULTS), self.file(RESULTS)))

    def test_other_plans(self) -> None:
        one, other = self.file(RESULTS), self.file(evolve(SLOWER, baseline="echo-epoll"))
        self.assertIn("the plans differ: the baseline is", self.complaint(one, other))
        self.report(one, other, "--different-plans")

    def test_what_is_no_file(self) -> None:
        self.assertIn("/no/such: No such file", self.complaint("/no/such"))
        self.assertIn("Missing argument", self.complaint())
