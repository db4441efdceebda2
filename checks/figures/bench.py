"""What the figures share: the server as a child, what it uses of the machine, and a line of the table."""

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
"""Connections that select can hold for sure: it watches descriptors below 1,024, of which a process needs some."""


@frozen
class Line:
    """
    What is to be said of one figure.

    :ivar measured: with its unit.
    :ivar hold: what it has to be.
    :ivar held: whether it is; ``None`` where that can't be measured.
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
    The installed ``twistd`` as a child that serves, without a greeting.

    :param words: more options of ``echo``.
    :param prefix: a command that runs the command that follows it.
    :raise AssertionError: at the end, if it has ended by itself, with another status than 0, or logged a traceback.
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
    """Say how far it is, for those who wait."""
    print(f"    … {text}", file=sys.stderr, flush=True)


def user_memory(server: Server) -> int:
    """
    Memory in KiB that the process has made its own.

    Anonymous pages are the heap and the stacks; the resident size has the files of programs and libraries in it as
    well, which come and go with what else happens. Descriptions: proc(5), "smaps".
    """
    with open(f"/proc/{server.pid}/smaps_rollup", encoding="ascii") as file:
        sizes = {line.split()[0]: int(line.split()[1]) for line in file.readlines()[1:]}
    return sizes["Anonymous:"] + sizes["Swap:"]


def cpu_seconds(server: Server) -> float:
    """Seconds of a processor that it has used so far, in its own code and in the kernel."""
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors_of(server: Server) -> int:
    """How many descriptors it has open."""
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def seconds_until(condition: Callable[[], bool], patience: float) -> float:
    """
    How long it takes until something is so.

    :param patience: seconds after which it is given up; then more than that is returned.
    """
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > patience:
            break
        time.sleep(0.01)
    return time.monotonic() - begun


def percentile(values: Iterable[float], share: float) -> float:
    """
    The smallest value that so many are not over.

    :param values: at least one.
    :param share: over 0, up to 1.
    """
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]
