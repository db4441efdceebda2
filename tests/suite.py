"""
Run the suite: ``python -m tests.suite [--quick | --coverage] [REACTOR ...]``.

Runs trial on each reactor, pytest once, and the tests of pytest-twisted on each reactor. Tests without a reactor run
only once, under trial; tests that start processes run once on each reactor, under trial or pytest.
The default is all reactors of this platform; on Linux, kqueue runs on the emulation in tests/emulation. With
``--quick``, trial runs once, on the default reactor, without the slowest tests: the commands of the guide, pages in a
browser, leftovers of killed commands, comparisons, workers under twistd, and ``checks``.

Prints the begin and end of each part, and the progress of all; keeps the output of each part in the folder ``_suite``.
Lists failures and skipped tests at the end, with a count of all tests. In CI (with ``CI`` in the environment), a
skipped test is a failure.
"""

from __future__ import annotations

import argparse
import compileall
import os
import pkgutil
import subprocess
import sys
from signal import SIG_DFL, SIGHUP, SIGTERM, signal

from twisted.internet import default

from echoproto.reactors.selection import auto_name, candidates
from tests.execution import EMULATION, OUTPUT, Ended, Part, environment_for, report, run
from tests.tallies import Tally

__all__ = ["KNOWN", "environment_for", "here", "parts"]

KNOWN = ("select", "poll", "epoll", "lean-epoll", "kqueue", "asyncio", "uvloop")

ROOT = os.path.dirname(os.path.dirname(EMULATION))
COMPILED = ("checks", "echoproto", "tests", "twisted")
"""Folders of our code, and where they are."""

CONSOLE_BLOCKS = "tests.integration.test_console_blocks"
"""Commands of the guide: they take so long that only trial runs them."""

LONG = (
    *("tests.checks", "tests.integration.test_children", "tests.integration.test_compare_html", CONSOLE_BLOCKS),
    *("tests.integration.test_compare_command", "tests.integration.test_workers_as_a_service"),
    *("tests.integration.test_load_html", "tests.integration.test_soak"),
)
"""Tests that take longest, for what few changes reach; a quick run leaves them out."""

PROCESSES = ("tests.compare.run", "tests.compare.servers", "tests.host", "tests.integration")
"""Tests that start processes. They take most of the time, so they run once on each reactor: under pytest on Twisted's
default reactor and without a reactor, under trial on the others."""

WITHOUT_REACTOR = (
    *("tests.checks", "tests.cli", "tests.compare", "tests.emulation", "tests.host", "tests.load", "tests.pages"),
    "tests.tools",
    *("tests.reactors.test_lean.", "tests.reactors.test_lean_turns", "tests.reactors.test_leanepoll"),
    *("tests.reactors.test_leanpoll", "tests.reactors.test_transports", "tests.reactors.test_uvloop"),
    *("tests.server.limits", "tests.server.log", "tests.server.runner", "tests.server.settings"),
    *("tests.server.sockets.test_activation", "tests.server.sockets.test_ancillary"),
    *("tests.server.sockets.test_certificates", "tests.server.sockets.test_connection"),
    *("tests.server.sockets.test_credentials", "tests.server.sockets.test_endpointstrings"),
    *("tests.server.sockets.test_pemfiles", "tests.server.sockets.test_queues"),
    "tests.server.sockets.test_socketfile",
    *("tests.server.sockets.test_socketnames", "tests.server.sockets.test_tlserrors"),
    *("tests.server.test_connections", "tests.server.test_counters", "tests.server.test_paths"),
    *("tests.server.workers.test_messages", "tests.server.workers.test_shares"),
    *("tests.server.workers.test_supervisor", "tests.server.workers.test_worker"),
    *("tests.support.test_consoleblocks", "tests.support.test_faultproxy", "tests.support.test_pairs"),
    *("tests.support.test_schedule", "tests.support.test_streamcheck"),
    "tests.test_addresses",
    *("tests.test_console", "tests.test_datagram", "tests.test_errors", "tests.test_execution", "tests.test_exports"),
    *("tests.test_house", "tests.test_imports", "tests.test_log_events", "tests.test_protocol.", "tests.test_suite"),
    *(
        "tests.test_private_names",
        "tests.test_tallies",
        "tests.test_terminal",
        "tests.test_tokenbucket",
        "tests.test_units",
    ),
    *("tests.integration.test_accept_errors", "tests.integration.test_activation"),
    *("tests.integration.test_certificates", "tests.integration.test_children"),
    *("tests.integration.test_clients", "tests.integration.test_commands"),
    *("tests.integration.test_compare_", "tests.integration.test_connection_log", "tests.integration.test_environment"),
    *("tests.integration.test_failing", "tests.integration.test_load_", "tests.integration.test_log_files"),
    *("tests.integration.test_names", "tests.integration.test_outputs", "tests.integration.test_privileges"),
    *("tests.integration.test_restart", "tests.integration.test_slow_peers"),
    *("tests.integration.test_reloading", "tests.integration.test_runner_options", "tests.integration.test_soak_"),
    *("tests.integration.test_tlserrors", "tests.integration.test_udp_", "tests.integration.test_unix"),
    *("tests.integration.test_unwritable", "tests.integration.test_workers_as_a_service"),
    CONSOLE_BLOCKS,
)
"""Tests that have nothing to do with a reactor: trial runs them once, on the first. A dot at the end keeps
out modules whose names go on."""

INTERRUPTED = 130
"""Exit status when it is told to end, as by Ctrl-C."""

SHARES = 3
"""Parts that a long list of tests is divided into, so that all processors have work until the end."""

JOBS = 4
"""Parts that run at once: much of the time, a part waits for a clock or for a process."""

ONCE, DEFAULT = "once", "default"
"""Names of parts: of what has nothing to do with a reactor, and of what pytest runs on Twisted's default."""


def here() -> list[str]:
    """The reactors to run on: those of this platform, and kqueue wherever it can be emulated."""
    usable = {candidate.name for candidate in candidates() if not candidate.why_not}
    if sys.platform.startswith("linux"):
        usable.add("kqueue")
    return [name for name in KNOWN if name in usable]


def default_reactor() -> str:
    """Return the name of Twisted's default reactor on this platform, on which pytest runs."""
    name: str = default.install.__module__
    return name.rpartition(".")[2].removesuffix("reactor")


def runs_once(module: str) -> bool:
    """Return true for a module of tests that has nothing to do with a reactor."""
    return f"{module}.".startswith(WITHOUT_REACTOR)


def modules() -> tuple[list[str], list[str]]:
    """The modules of tests: those to run on each reactor, and those to run once."""
    found = [each.name for each in pkgutil.walk_packages([os.path.dirname(EMULATION)], "tests.")]
    tests = [name for name in found if name.rpartition(".")[2].startswith("test_")]
    tests = [name for name in tests if not name.startswith("tests.pytest_twisted.")]
    once = [name for name in tests if runs_once(name)]
    return [name for name in tests if name not in once], once


def parts(reactors: list[str], *, coverage: bool = False, quick: bool = False) -> list[Part]:
    """All parts of the suite, the longest first, so that no processor is left without work at the end."""
    with_reactor, once = modules()
    if quick:
        with_reactor, once = ([name for name in each if not name.startswith(LONG)] for each in (with_reactor, once))
    found = []
    for name, tests in () if quick else ((ONCE, once), (DEFAULT, with_reactor)):
        for share, chosen in shares(name, [each for each in tests if each != CONSOLE_BLOCKS], quick=quick):
            measure = f"-m coverage run --data-file={data_file(share)} " if coverage else ""
            files = " ".join(f"{each.replace('.', os.sep)}.py" for each in chosen)
            found.append(Part("pytest", share, f"{measure}-m pytest -v -rs {files}"))
    for name, tests in ((ONCE, once), *((name, with_reactor) for name in reactors)):
        reactor = reactors[0] if name == ONCE else name
        under_pytest = PROCESSES if name in {ONCE, default_reactor()} and not quick else ()
        left = [each for each in tests if each == CONSOLE_BLOCKS or not each.startswith(under_pytest)]
        for share, chosen in shares(name, left, quick=quick):
            words = f"--random=0 --temp-directory=_trial_temp_{share} --reactor={reactor}"
            found.append(Part("trial", share, f"-m twisted.trial {words} {' '.join(chosen)}", reactor))
    for name in reactors:
        plugin = f"-p tests.pytest_twisted.reactors -c tests/pytest_twisted/pytest.ini --reactor={name}"
        found.append(Part("pytest-twisted", name, f"-m pytest -v -rs {plugin} tests/pytest_twisted", name))
    return found


def compile_all() -> None:
    """Compile our code, where the environment has Python keep no bytecode: each of a thousand processes would do so."""
    if sys.dont_write_bytecode:
        for folder in COMPILED:
            compileall.compile_dir(os.path.join(ROOT, folder), quiet=2)


def shares(name: str, tests: list[str], *, quick: bool) -> list[tuple[str, list[str]]]:
    """Divide a list of tests into parts, where there are few lists or it is long; give a name to each."""
    count = SHARES if quick or name == ONCE else 1
    return [(f"{name}-{number + 1}" if count > 1 else name, tests[number::count]) for number in range(count)]


def data_file(name: str) -> str:
    """Where the coverage of one of pytest's parts is kept until all of it is joined."""
    return f".coverage_{name}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--coverage", action="store_true", help="measure the coverage of pytest's run")
    parser.add_argument(
        "--quick", action="store_true", help="run the tests once, on the default reactor, without the slowest"
    )
    parser.add_argument("--jobs", type=int, help=f"number of parallel parts (default {JOBS})")
    parser.add_argument(
        "reactors", nargs="*", metavar="REACTOR", help=f"one of {', '.join(KNOWN)} (default all of this platform)"
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.coverage:
        parser.error("--quick and --coverage exclude each other")
    signal(SIGTERM, lambda *_: sys.exit(INTERRUPTED))  # and what runs is ended
    signal(SIGHUP, SIG_DFL)  # nohup has it ignored, and what is started here inherits that: nothing would be reloaded
    os.makedirs(OUTPUT, exist_ok=True)
    compile_all()
    reactors = arguments.reactors or ([auto_name()] if arguments.quick else here())
    planned = parts(reactors, coverage=arguments.coverage, quick=arguments.quick)
    jobs = arguments.jobs or JOBS
    ended: list[Ended] = []
    try:
        for each in run(planned, jobs):
            ended.append(each)  # noqa: PERF402 - it is there, too, if this is interrupted
    except KeyboardInterrupt:
        report(ended)
        print("interrupted")
        return INTERRUPTED
    report(ended)
    total = sum((each.tally for each in ended), Tally())
    if arguments.coverage:
        files = [data_file(each.part.name) for each in ended if each.part.kind == "pytest"]
        joined = subprocess.run([sys.executable, "-m", "coverage", "combine", "--quiet", *files], check=False)
        total.failed += bool(joined.returncode)
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
