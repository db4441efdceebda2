"""
Runs the whole suite: ``python -m tests.suite [--coverage] [REACTOR ...]``.

trial once on each reactor, pytest once, and the tests of pytest-twisted on each reactor; what has nothing to do with a
reactor is run by trial on the first of them only, apart from the rest. The reactors are those that this platform has;
on Linux, kqueue runs on the emulation of tests/emulation. Ends with a count of all of them.
In CI (where the environment says ``CI``), a skipped test is a failure.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from signal import SIG_DFL, SIGHUP, signal

from attrs import define, frozen

from echoproto.reactors.choice import candidates

KNOWN = ("select", "poll", "epoll", "kqueue", "asyncio", "uvloop")
EMULATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "emulation")

WITHOUT_REACTOR = (
    *(
        "tests.checks",
        "tests.compare",
        "tests.host",
        "tests.load",
        "tests.emulation",
        "tests.test_nothing_lost",
        "tests.test_faultproxy",
        "tests.test_docs",
        "tests.test_bench",
    ),
    *("tests.integration.test_load_command", "tests.integration.test_load_html"),
    *("tests.integration.test_compare_html", "tests.integration.test_compare_command"),
    *("tests.test_console", "tests.integration.test_unwritable", "tests.integration.test_runner_options"),
    *("tests.server.test_pidfile", "tests.server.test_runneroptions", "tests.server.test_daemon"),
    *("tests.integration.test_workers_as_a_service", "tests.integration.test_privileges"),
    *("tests.integration.test_children",),
    *("tests.server.workers.test_messages", "tests.server.workers.test_supervision"),
)
"""Tests that have nothing to do with a reactor: trial runs them once, on the first."""

LEAST = {"trial": 200, "pytest": 200, "pytest-twisted": 4}
"""How many tests each part has to have at least: trial is content with none."""

ONCE, DEFAULT = "once", "default"
"""Names of parts: of what has nothing to do with a reactor, and of what pytest runs on Twisted's default."""


@frozen
class Part:
    """
    A part of the suite that is run in a process of its own.

    :ivar kind: what runs it: ``trial``, ``pytest`` or ``pytest-twisted``.
    :ivar name: of its reactor, or one of those above.
    :ivar arguments: of Python.
    :ivar reactor: that it runs on, if that is not Twisted's default.
    """

    kind: str
    name: str
    arguments: str
    reactor: str = ""


@define
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_trial(output: str) -> Tally:
    """Read the closing lines of trial, such as ``FAILED (skips=1, failures=1, errors=2, successes=9)``."""
    closing = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    counts = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", closing[-1] if closing else "")}
    return Tally(
        counts.get("successes", 0), counts.get("failures", 0) + counts.get("errors", 0), counts.get("skips", 0)
    )


def read_pytest(output: str) -> Tally:
    """Read the closing line of pytest, such as ``1 failed, 9 passed, 1 skipped in 3.21s``."""
    closing = re.findall(r"^=*\s?((?:\d+ \w+(?:, )?)+) in \d", output, re.MULTILINE)
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", closing[-1] if closing else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0) + counts.get("errors", 0)
    return Tally(counts.get("passed", 0), failed, counts.get("skipped", 0))


def here() -> list[str]:
    """The reactors to run on: those of this platform, and kqueue wherever it can be emulated."""
    usable = {candidate.name for candidate in candidates() if not candidate.why_not}
    if sys.platform.startswith("linux"):
        usable.add("kqueue")
    return [name for name in KNOWN if name in usable]


def environment_for(name: str) -> dict[str, str]:
    """The environment of a process that is to run on a reactor: on Linux, kqueue has to be emulated."""
    environment = dict(os.environ)
    if name == "kqueue" and sys.platform.startswith("linux"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [EMULATION, environment.get("PYTHONPATH", "")]))
    return environment


def modules() -> tuple[list[str], list[str]]:
    """The modules of tests: those to run on each reactor, and those to run once."""
    found = [each.name for each in pkgutil.walk_packages([os.path.dirname(EMULATION)], "tests.")]
    tests = [name for name in found if name.rpartition(".")[2].startswith("test_")]
    tests = [name for name in tests if not name.startswith("tests.pytest_twisted.")]
    once = [name for name in tests if name.startswith(WITHOUT_REACTOR)]
    return [name for name in tests if name not in once], once


def parts(reactors: list[str], *, coverage: bool) -> list[Part]:
    """All parts of the suite, the longest first, so that no processor is left without work at the end."""
    with_reactor, once = modules()
    found = []
    for name, tests in ((ONCE, once), (DEFAULT, with_reactor)):
        measure = f"-m coverage run --data-file={data_file(name)} " if coverage else ""
        files = " ".join(f"{each.replace('.', os.sep)}.py" for each in tests)
        found.append(Part("pytest", name, f"{measure}-m pytest -q -rs {files}"))
    for name, tests in ((ONCE, once), *((name, with_reactor) for name in reactors)):
        reactor = reactors[0] if name == ONCE else name
        words = f"--random=0 --temp-directory=_trial_temp_{name} --reactor={reactor}"
        found.append(Part("trial", name, f"-m twisted.trial {words} {' '.join(tests)}", reactor))
    for name in reactors:
        plugin = f"-p tests.pytest_twisted.reactors -c tests/pytest_twisted/pytest.ini --reactor={name}"
        found.append(Part("pytest-twisted", name, f"-m pytest -q -rs {plugin} tests/pytest_twisted", name))
    return found


def data_file(name: str) -> str:
    """Where the coverage of one of pytest's parts is kept until all of it is joined."""
    return f".coverage_{name}"


def run(part: Part) -> Tally:
    """Run one part of the suite in a process of its own; its output is shown if it fails, or skips."""
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, *part.arguments.split()],
        env=environment_for(part.reactor),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    tally = (read_trial if part.kind == "trial" else read_pytest)(ended.stdout)
    if (
        tally.passed < LEAST[part.kind]
        or (tally.skipped and os.environ.get("CI"))
        or (ended.returncode and not tally.failed)
    ):
        tally.failed += 1
    if tally.failed or tally.skipped:
        print(ended.stdout)
    word = "FAILED" if tally.failed else "passed"
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    seconds = time.monotonic() - begun
    print(f"{part.kind:<15} {part.name:<8} {word}  {tally.passed:>4} tests{skipped}  {seconds:6.1f} s", flush=True)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--coverage", action="store_true", help="measure the coverage of pytest's run")
    parser.add_argument("--jobs", type=int, default=3, help="parts that are run at once (default 3)")
    parser.add_argument(
        "reactors", nargs="*", metavar="REACTOR", help=f"of {', '.join(KNOWN)}; default: all of this platform"
    )
    arguments = parser.parse_args()
    signal(SIGHUP, SIG_DFL)  # nohup has it ignored, and what is started here inherits that: nothing would be reloaded
    # Much of the time, a part waits for a clock or for a process: three of them keep two processors busy.
    with ThreadPoolExecutor(arguments.jobs) as pool:
        total = sum(pool.map(run, parts(arguments.reactors or here(), coverage=arguments.coverage)), Tally())
    if arguments.coverage:
        files = [data_file(name) for name in (ONCE, DEFAULT)]
        joined = subprocess.run([sys.executable, "-m", "coverage", "combine", "--quiet", *files], check=False)
        total.failed += bool(joined.returncode)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
