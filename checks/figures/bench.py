"""Common code of the figures: the server as a child process, its resources, and a line of the table."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from attrs import frozen

from tests.integration.twistd import Server, script
from tests.suite import environment_for

SELECT_HOLDS = 950
"""Number of connections that select can always hold: it watches descriptors below 1,024, and a process needs some."""


@frozen
class Line:
    """
    The result of one figure.

    :ivar measured: the measurement, with its unit.
    :ivar hold: its limit.
    :ivar held: true if it is within the limit; ``None`` where that can't be measured.
    """

    name: str
    measured: str
    hold: str
    held: bool | None

    def __str__(self) -> str:
        verdict = {True: "held", False: "NOT HELD", None: "not measured"}[self.held]
        return f"{self.name:<20}  {self.measured:<56}  {self.hold:<32}  {verdict}"


@contextmanager
def serving(reactor: str, *words: str, prefix: tuple[str, ...] = ()) -> Iterator[Server]:
    """
    Run the installed ``twistd`` as a child process, without a greeting.

    :param words: further options of ``echo``.
    :param prefix: a command that runs the command that follows it.
    :raise AssertionError: at the end, if it ended by itself, or with a status other than 0, or logged a traceback.
    """
    options = ["--greeting", "", "--log-connections", "off", "--reactor", reactor, *words]
    if "--listen" not in words:
        options += ["--port", "0"]
    with tempfile.TemporaryDirectory(prefix="echo-") as folder:
        command = (*prefix, script("twistd"), "-n", "echo", *options)
        server = Server(*command, cwd=folder, env=environment_for(reactor))
        try:
            server.listening()
            yield server
        finally:
            status = server.stop()
        log = "\n".join(server.lines)
        if status or "Traceback" in log or "Received SIGTERM" not in log:
            raise AssertionError(f"the server ended with status {status}, and logged:\n{log}")


def progress(text: str) -> None:
    """Print the progress."""
    print(f"    … {text}", file=sys.stderr, flush=True)


def user_memory(server: Server) -> int:
    """
    Return the private memory of a process in KiB.

    Anonymous pages are the heap and the stacks. The resident size also includes mapped programs and libraries, which
    depend on other activity. Source: proc(5), "smaps".
    """
    with open(f"/proc/{server.pid}/smaps_rollup", encoding="ascii") as file:
        sizes = {line.split()[0]: int(line.split()[1]) for line in file.readlines()[1:]}
    return sizes["Anonymous:"] + sizes["Swap:"]


def cpu_seconds(server: Server) -> float:
    """Return the CPU time of a process so far in seconds, user and system."""
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors_of(server: Server) -> int:
    """Return the number of its open descriptors."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def seconds_until(condition: Callable[[], bool], patience: float) -> float:
    """
    Return the seconds until a condition holds.

    :param patience: time limit in seconds; after it, a larger number is returned.
    """
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > patience:
            break
        time.sleep(0.01)
    return time.monotonic() - begun


def percentile(values: Iterable[float], share: float) -> float:
    """
    Return a percentile.

    :param values: at least one.
    :param share: the percentile as a share, above 0, up to 1.
    """
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]
