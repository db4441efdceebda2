"""The installed ``echoproto compare``, on real servers, some of them broken."""

import json
import os
import shlex
import signal
import subprocess
import sys
from typing import Any

import psutil

from echoproto.compare.results import Results, read
from tests.compare.run.test_sample import SERVER
from tests.compare.test_results import validator
from tests.integration.twistd import Child, TwistdCase, script
from tests.load.test_processes import is_running

SECONDS = 180.0
"""In which a small comparison is done, also on a busy machine."""

SMALL = ("--duration", "200ms", "--warmup", "50ms", "--connections", "4", "--no-calls")
"""What keeps it short."""


def mutant(name: str, harm: str) -> tuple[str, str]:
    """The option for a server that harms what it echoes."""
    script = SERVER.format(harm=harm, shift="")
    return "--contestant", f"{name}={shlex.join([sys.executable, '-c', script])} {{port}}"


class CompareCase(TwistdCase):
    def compared(
        self, *words: str, status: int = 0, drawn: bool = False
    ) -> tuple[Results, subprocess.CompletedProcess[str]]:
        """What it has measured, valid by the schema."""
        folder = os.path.join(self.folder(), "out")
        command = (script("echoproto"), "compare", *words, "--output", folder)
        environment = None if drawn else self.without_pictures()
        ended = self.run_to_end(*command, seconds=SECONDS, cwd=self.folder(), env=environment)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        self.assertEqual(ended.returncode, status, ended)
        self.results = os.path.join(folder, "results.json")
        return self.read(self.results), ended

    def read(self, path: str) -> Results:
        with open(path, encoding="utf-8") as file:
            data: Any = json.load(file)
        self.assertEqual([error.message for error in validator().iter_errors(data)], [])
        return read(data)


class MeasuredTests(CompareCase):
    def test_two_contestants(self) -> None:
        """From the options to results, tables and pictures; and again, beside the first time."""
        names = ("--contestants", "echo-poll,threads", *SMALL, "--rounds", "2")
        results, ended = self.compared(*names, "--seed", "5", drawn=True)
        taken = [(sample.contestant, sample.round) for sample in results.samples]
        self.assertEqual(sorted(taken), [(name, number) for name in ("echo-poll", "threads") for number in (0, 1)])
        for sample in results.samples:
            self.assertIn(sample.verdict, ("good", "client limit"), sample)
            self.assertGreater(sample.echoes_per_second, 10)
            assert sample.idle_rss_bytes is not None
            self.assertGreater(sample.idle_rss_bytes, 1 << 20)
        self.assertEqual((results.seed, results.rounds, results.partial), (5, 2, False))
        self.assertIn("--seed 5", results.command)
        self.assertIn("twisted", results.environment)
        self.assertIn("echo-poll", ended.stdout)
        self.assertIn("2 contestants under 1 load, 2 rounds", ended.stderr)
        self.assertIn("round 1 of 2: ", ended.stderr)
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(self.results), "report.html")))
        self.compared(*names, "--against", self.results, "--tolerance", "100", "--quiet")

    def test_an_idle_plan_of_ones_own(self) -> None:
        """In a file; with system calls, and idle connections that one of them can't hold."""
        path = os.path.join(self.folder(), "plan.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                "contestants = ['asyncio-streams', 'twisted-select']\nrounds = 1\nduration = '200ms'\n"
                "[[cell]]\nconnections = 2\n[[cell]]\nconnections = 2\nidle = 1100\n"
            )
        results, ended = self.compared("--plan", path)
        self.assertEqual((results.preset, results.baseline), ("", "asyncio-streams"))
        [impossible] = [sample for sample in results.samples if sample.verdict == "not possible"]
        self.assertEqual((impossible.contestant, impossible.cell.idle), ("twisted-select", 1_100))
        self.assertIn("twisted-select: not possible, because select(2)", ended.stderr)
        self.assertEqual([calls.contestant for calls in results.calls], ["asyncio-streams", "twisted-select"])
        for calls in results.calls:
            # Of each of two connections, the end may be read, too, or may not be.
            self.assertLessEqual(abs(calls.per_echo["recvfrom"] - 1.0), 2 / 1500, calls)

    def test_broken_ones_get_their_verdict_and_the_rest_goes_on(self) -> None:
        words = (
            *mutant("corrupts", "data = data[:-1] + bytes([data[-1] ^ 1])"),
            *mutant("dies", "import os; os._exit(3)"),
            *("--contestant", f"ends={sys.executable} -c 'raise SystemExit(\"no {{port}}\")'"),
        )
        results, ended = self.compared("--contestants", "threads", *words, *SMALL, "--rounds", "2")
        verdicts = {sample.contestant: sample.verdict for sample in results.samples}
        self.assertEqual(verdicts["corrupts"], "corrupt")
        self.assertIn(verdicts["dies"], ("failed", "lost"))
        self.assertEqual(verdicts["ends"], "unreachable")
        self.assertEqual(len(results.of("threads", results.cells[0])), 2)
        self.assertEqual(len(results.of("corrupts", results.cells[0])), 1)
        self.assertIn("corrupts: corrupt: ", ended.stderr)

    def test_nobody_could_be_measured(self) -> None:
        ended = self.run_to_end(
            *(script("echoproto"), "compare", "--contestants", "threads", "--transport", "udp", "--no-calls")
        )
        self.assertEqual(ended.returncode, 3, ended)
        self.assertIn("Error: no contestant could be measured: it does not speak UDP", ended.stderr)


class InterruptedTests(CompareCase):
    def start(self) -> tuple[Child, str]:
        folder = os.path.join(self.folder(), "out")
        words = (
            "--contestants",
            "threads,asyncio-streams",
            *SMALL,
            "--rounds",
            "1000",
            "--budget",
            "1h",
            "--output",
            folder,
        )
        child = Child(script("echoproto"), "compare", *words, cwd=self.folder(), env=self.without_pictures())
        self.addCleanup(child.stop)  # in order, so that its servers end, too
        return child, os.path.join(folder, "results.json")

    def test_what_was_measured_is_kept(self) -> None:
        """And no process is left."""
        child, path = self.start()
        child.wait_for("round [2-9] of 1000")
        processes = psutil.Process(child.pid).children(recursive=True)
        self.assertEqual(child.stop(signal.SIGINT), 130)
        results = self.read(path)
        self.assertTrue(results.partial)
        self.assertGreaterEqual(len(results.samples), 2)
        self.assertEqual([each for each in processes if is_running(each.pid)], [])

    def test_before_there_is_anything(self) -> None:
        child, path = self.start()
        child.wait_for("2 contestants")
        child.process.send_signal(signal.SIGINT)
        status = child.end()
        self.assertEqual(status, 130)
        self.assertFalse(os.path.exists(path))
