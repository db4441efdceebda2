"""
Run Twisted's own reactor tests on its reactors and on the lean ones; the results must be the same.

``python -m checks.conformance [--short] [NAME ...]`` runs them with trial, once on each of a pair (``lean-epoll`` and
``epoll``, and so on; on Linux, kqueue is emulated), and prints each test whose results differ. The exit status is 1 if
one differs, or if too few tests ran. ``--short`` skips the slow tests.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

from tests.suite import environment_for, here

PAIRS = {"lean-epoll": "epoll", "lean-poll": "poll", "lean-kqueue": "kqueue"}

SHORT = (
    *("twisted.internet.test.test_core", "twisted.internet.test.test_fdset", "twisted.internet.test.test_tcp"),
    *("twisted.internet.test.test_unix", "twisted.internet.test.test_socket", "twisted.internet.test.test_tls"),
    *("twisted.internet.test.test_time", "twisted.test.test_tcp"),
)
LONG = (
    *("twisted.internet.test", "twisted.test.test_tcp", "twisted.test.test_unix", "twisted.test.test_ssl"),
    *("twisted.test.test_iosim", "twisted.test.test_internet", "twisted.test.test_factories"),
    *("twisted.protocols.test", "twisted.test.test_protocols", "twisted.test.test_policies"),
)

MIN_TESTS = 250
"""Minimum number of tests to run: without any, there are no differences."""

RUNNER = """
import os, sys
from twisted.application.reactors import installReactor
reactor = installReactor(sys.argv[1])
from twisted.internet.test.reactormixins import ReactorBuilder
kind = type(reactor)
kind.__name__ = kind.__name__.removeprefix("Lean")  # by which some tests know what they can't ask of it
ReactorBuilder._reactors = [f"{kind.__module__}.{kind.__qualname__}"]
ReactorBuilder.originalHandler = None
sys.argv = ["trial", "--reporter=verbose", "--random=0", "--temp-directory", sys.argv[2], *sys.argv[3:]]
from twisted.scripts.trial import run
run()
"""


def results(name: str, modules: tuple[str, ...]) -> dict[str, str]:
    """Run the tests on a reactor; return the result of each by its name, without the reactor's."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        runner = os.path.join(folder, "runner.py")
        with open(runner, "w", encoding="utf-8") as file:
            file.write(RUNNER)
        environment = environment_for("kqueue" if "kqueue" in name else name)
        begun = time.monotonic()
        ended = subprocess.run(
            [sys.executable, runner, name, os.path.join(folder, "temp"), *modules],
            cwd=folder,
            env=environment,
            capture_output=True,  # apart from each other: some of the tests write errors in the middle of lines
            text=True,
            errors="replace",
            check=False,
        )
    found = read(ended.stdout)
    counts = ", ".join(f"{list(found.values()).count(kind)} {kind}" for kind in sorted(set(found.values())))
    print(f"{name:<12} {len(found)} tests: {counts}, {time.monotonic() - begun:.0f} s", flush=True)
    if not found:
        print(ended.stdout[-3000:], ended.stderr[-3000:])
    return found


def read(output: str) -> dict[str, str]:
    """Read what trial's verbose reporter prints: a tree of names by their indents, and a result for each test."""
    path: list[str] = []
    found: dict[str, str] = {}
    for line in output.split("\n\n====", maxsplit=1)[0].splitlines():
        words = re.fullmatch(r"((?:  )*)(\S+)(?: \.\.\.)?(?: +\[(\w+)\])?", line)
        if words is None:
            continue
        depth = len(words[1]) // 2
        path[depth:] = [re.sub(r"_\w*Reactor\w*?Tests$|_\w*Reactor$", "", words[2])]
        if words[3]:
            key = ".".join(path)
            while key in found:  # two classes of a module may have one name but for the reactor's
                key += "'"
            found[key] = words[3]
    return found


def differences(stock: dict[str, str], lean: dict[str, str]) -> list[str]:
    """Return the tests with different results."""
    names = sorted(stock.keys() | lean.keys())
    return [
        f"{name}: {stock.get(name, 'not run')} on Twisted's, {lean.get(name, 'not run')} on the lean one"
        for name in names
        if stock.get(name) != lean.get(name)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks.conformance", description=(__doc__ or "").strip())
    parser.add_argument("--short", action="store_true", help="skip the slow tests")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(PAIRS)} (default those of this platform)"
    )
    arguments = parser.parse_args()
    modules = SHORT if arguments.short else LONG
    bad = 0
    names = arguments.names or [lean for lean, stock in PAIRS.items() if stock in here()]
    if not arguments.short and not arguments.names and sys.platform.startswith("linux") and "lean-kqueue" in names:
        print("lean-kqueue  left out: over the emulation, some of the long tests do not end on Twisted's own, either")
        names.remove("lean-kqueue")
    for name in names:
        stock, lean = results(PAIRS[name], modules), results(name, modules)
        unlike = differences(stock, lean)
        print(*(f"  {line}" for line in unlike), sep="\n", end="\n" if unlike else "")
        bad += len(unlike) + (min(len(stock), len(lean)) < MIN_TESTS)
    print("alike" if not bad else f"{bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
