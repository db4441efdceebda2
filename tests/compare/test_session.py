import json
import os
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare import session
from echoproto.compare.analysis.regression import REGRESSION
from echoproto.compare.plan.options import Options
from echoproto.compare.report import write
from echoproto.compare.report.write import read_file
from echoproto.compare.results import Cell, Results, Sample, document
from echoproto.compare.run.comparison import Prepared, Task
from echoproto.compare.session import NothingMeasured, Outputs, run
from echoproto.errors import INTERRUPTED, ConfigurationError
from echoproto.load.errors import GOOD, UNREACHABLE

TASK = Task(
    preset="quick", file=None, options=Options(contestants=("echo-poll",), sizes=(64,)), seed=3, command="typed"
)


def samples(echoes_per_second: float) -> tuple[Sample, ...]:
    """Of all rounds, with a little noise."""
    return tuple(
        Sample(
            contestant="echo-poll",
            cell=Cell(),
            round=number,
            verdict="good",
            echoes_per_second=echoes_per_second * (1 + number / 1_000),
        )
        for number in range(5)
    )


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.measured: list[Prepared] = []
        self.patch(write, "_draw", lambda *given: None)  # which takes long, and is tried elsewhere

    def outputs(self, **more: Any) -> Outputs:
        given = {
            "folder": self.folder,
            "quiet": True,
            "against": None,
            "tolerance": 0.05,
            "different_environments": False,
        }
        return Outputs(**{**given, **more})

    def measures(self, *, interrupted: bool = False, **found: Any) -> None:
        """Have it find something."""

        def measure(prepared: Prepared, view: object, interruption: object) -> Results:
            self.measured.append(prepared)
            if found.get("samples") == "killed":
                raise KeyboardInterrupt
            return evolve(prepared.results, partial=interrupted, **found)

        self.patch(session, "measure", measure)

    def earlier(self, echoes_per_second: float, **environment: str) -> str:
        """The results of an earlier run, as a file."""
        self.measures(samples=samples(echoes_per_second))
        self.assertEqual(run(TASK, self.outputs()), GOOD)
        results = read_file(self.folder)
        path = str(os.path.abspath(self.mktemp()))
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document(evolve(results, environment={**results.environment, **environment})), file)
        self.measured.clear()
        return path

    def test_written(self) -> None:
        self.measures(samples=samples(1e5))
        self.assertEqual(run(TASK, self.outputs()), GOOD)
        self.assertEqual(len(read_file(self.folder).samples), 5)

    def test_interrupted(self) -> None:
        """What there is by then is written."""
        self.measures(interrupted=True, samples=samples(1e5)[:1])
        self.assertEqual(run(TASK, self.outputs()), INTERRUPTED)
        self.assertTrue(read_file(self.folder).partial)

    def test_interrupted_before_there_is_anything(self) -> None:
        for found in ((), "killed"):
            self.measures(interrupted=True, samples=found)
            self.assertEqual(run(TASK, self.outputs()), INTERRUPTED)
        self.assertEqual(os.listdir(self.folder), [])

    def test_nothing_could_be_measured(self) -> None:
        for found, why in ((samples(0), "why"), ((), "the plan has no samples")):
            self.measures(samples=tuple(evolve(sample, why="why") for sample in found))
            with self.assertRaises(NothingMeasured) as caught:
                run(TASK, self.outputs())
            self.assertIn(why, str(caught.exception))
        self.assertEqual(caught.exception.exit_status, UNREACHABLE)

    def test_all_have_failed(self) -> None:
        """Although something came back, which is told: of such a contestant, there are no figures."""
        good, *others = samples(1e5)
        failed = tuple(evolve(sample, verdict="corrupt", why="bit 3") for sample in others)
        for found in (failed, (good, *failed)):
            self.measures(samples=found)
            error = self.assertRaises(NothingMeasured, run, TASK, self.outputs())
            self.assertIn("bit 3", str(error))
            self.assertEqual(read_file(self.folder).samples, found)
        self.measures(samples=failed, interrupted=True)
        self.assertEqual(run(TASK, self.outputs()), INTERRUPTED)

    def test_one_has_not_failed(self) -> None:
        """Under one of the loads is enough."""
        good = samples(1e5)
        failed = tuple(evolve(sample, cell=Cell(idle=100), verdict="corrupt", why="bit 3") for sample in good)
        self.measures(samples=(*failed, *good), cells=(Cell(idle=100), Cell()))
        self.assertEqual(run(TASK, self.outputs()), GOOD)

    def test_beside_an_earlier_run(self) -> None:
        """Worse than is tolerated is another exit status, but not if nobody minds."""
        old = self.earlier(1e5)
        for found, tolerance, status in (
            (1e5, 0.05, GOOD),
            (5e4, 0.05, REGRESSION),
            (5e4, 0.6, GOOD),
            (2e5, 0, GOOD),
        ):
            self.measures(samples=samples(found))
            self.assertEqual(run(TASK, self.outputs(against=old, tolerance=tolerance)), status, found)

    def test_another_environment_is_refused_before_anything_is_measured(self) -> None:
        old = self.earlier(1e5, kernel="Minix 1.1")
        with self.assertRaises(ConfigurationError) as caught:
            run(TASK, self.outputs(against=old))
        self.assertIn("Minix", str(caught.exception))
        self.assertEqual(self.measured, [])
        self.assertEqual(run(TASK, self.outputs(against=old, different_environments=True)), GOOD)
