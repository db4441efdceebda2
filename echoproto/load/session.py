"""
One run of ``echoproto load``, from its options to the exit status.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
from attrs import evolve, frozen
from rich.text import Text

from echoproto import terminal
from echoproto.errors import INTERRUPTED, ConfigurationError
from echoproto.host.environment import environment
from echoproto.host.files import STANDARD_OUTPUT, descriptor_of, save, why_not
from echoproto.host.limits import available
from echoproto.host.serving import ServerFailed, accepts, free_port, serving
from echoproto.host.signals import Interruption
from echoproto.load.address import looked_up
from echoproto.load.memory import shortage
from echoproto.load.options import Options, workload_for
from echoproto.load.outcome import Outcome
from echoproto.load.processes import run as run_processes
from echoproto.load.report.document import Report, document
from echoproto.load.report.progress import LoadProgress
from echoproto.load.report.table import headline, print_report
from echoproto.load.search import Search, find_rate
from echoproto.load.summary import Summary, summarise
from echoproto.load.target import parse_target, refusal
from echoproto.load.verdict import LoadVerdict
from echoproto.load.workload import Transport, Workload
from echoproto.progress import Progress, progress_for

PORT = "{port}"
"""Placeholder for a free port, in the command of ``--server`` and in its target."""

STANDARD_ERROR = 2
"""Descriptor of standard error."""

OWN_TARGET = f"tcp:127.0.0.1:{PORT}"


@frozen
class Outputs:
    """
    Destinations of the report.

    :ivar json: a file, ``-`` for standard output, or ``None``; likewise ``html`` and ``hgrm``.
    :ivar quiet: true to print nothing else.
    """

    json: str | None
    html: str | None
    hgrm: str | None
    quiet: bool

    @property
    def paths(self) -> dict[str, str | None]:
        """The paths by the options that give them."""
        return {"--json": self.json, "--html": self.html, "--hgrm": self.hgrm}

    @property
    def without_progress(self) -> bool:
        """True to show no progress on standard error, for example because a report goes there."""
        return self.quiet or any(descriptor_of(path or "") == STANDARD_ERROR for path in self.paths.values())


def run(target: str | None, server: str | None, options: Options, outputs: Outputs, *, own_host: bool) -> int:
    """
    Run the load, and report it.

    :param target: the target string; ``None`` for `OWN_TARGET`.
    :param server: the command of ``--server``, or ``None``.
    :param own_host: true if the user confirms the permission to load another machine.
    :return: the exit status.
    :raises EchoError: if there is nothing to report.
    """
    check_writable(outputs)
    with Interruption() as interruption, ExitStack() as stack:
        try:
            workload, command = _workload(target, server, options)
            why = refusal(workload, searching=options.find_rate is not None)
            if why is not None and not own_host:
                raise ConfigurationError(why)
            if command is not None:
                host, port = workload.target.host, workload.target.port
                pid = stack.enter_context(
                    serving(command, lambda: accepts(host, port), name="--server", stop=interruption)
                )
                workload = evolve(workload, server_pid=pid)
            with progress_for(quiet=outputs.without_progress) as progress:
                report = _measure(workload, options, progress, interruption)
        except KeyboardInterrupt:
            return INTERRUPTED
    write(report, outputs)
    return report.summary.exit_status


def _workload(target: str | None, server: str | None, options: Options) -> tuple[Workload, list[str] | None]:
    """Return the workload with the addresses of its target, and the command line of ``--server``."""
    words = None
    if options.server_pid is not None and not psutil.pid_exists(options.server_pid):
        raise ConfigurationError(f"--server-pid {options.server_pid}: no such process")
    if server is None:
        if target is None:
            raise ConfigurationError("missing TARGET, for example tcp:127.0.0.1:8888")
        aimed_at = parse_target(target)
    else:
        port = str(free_port())
        words = _words(server.replace(PORT, port))
        aimed_at = parse_target((target or OWN_TARGET).replace(PORT, port))
        if aimed_at.transport not in {Transport.TCP, Transport.TLS}:
            raise ConfigurationError("--server needs a tcp: or tls: target, for example tcp:127.0.0.1:{port}")
        if options.server_pid is not None:
            raise ConfigurationError("--server and --server-pid exclude each other")
    workload = workload_for(aimed_at, options)
    if why := shortage(workload, available()):
        raise ConfigurationError(why)
    return evolve(workload, target=looked_up(aimed_at)), words


def _words(server: str) -> list[str]:
    """
    Split a command as a shell does.

    :raise ServerFailed: if it can't be split, or is empty.
    """
    try:
        words = shlex.split(server)
    except ValueError as error:
        raise ServerFailed(f"--server can't be started: {error}") from error
    if not words:
        raise ServerFailed("--server can't be started: it is empty")
    return words


def _measure(workload: Workload, options: Options, progress: Progress, interruption: Interruption) -> Report:
    def once(workload: Workload, what: str) -> tuple[Outcome, Summary]:
        shown = LoadProgress(workload, what, progress)
        shown.begin()
        watch = None if progress.interval is None else shown.see
        outcome = run_processes(workload, interruption=interruption, watch=watch, every=progress.interval or 0)
        return outcome, summarise(workload, outcome)

    def step(workload: Workload, search: Search) -> tuple[Outcome, Summary]:
        bounds = [f"{rate:,.0f}/s {word}" for rate, word in ((search.held, "held"), (search.failed, "failed")) if rate]
        return once(workload, ", ".join([f"trying {workload.rate:,.0f}/s for {workload.duration:.3g} s", *bounds]))

    if options.find_rate is None:
        return Report(workload, *once(workload, ""), environment())
    found, (workload, outcome, summary) = find_rate(options.find_rate, workload, step)
    return Report(workload, outcome, summary, environment(), found)


def check_writable(outputs: Outputs) -> None:
    """Check before the run that each report can be written."""
    for option, path in outputs.paths.items():
        if path is not None and path != STANDARD_OUTPUT and (why := why_not(path)):
            raise ConfigurationError(f"{option} {path or repr(path)}: can't be written: {why}")


def write(report: Report, outputs: Outputs) -> None:
    """
    Write the files of the report, then print it, so that a failed print loses no file.

    :raises ConfigurationError: if a file can't be written; all others are.
    :raises OutputError: if standard output can't be written.
    """
    written = list(_files(report, outputs))
    failures = [_saved(*each) for each in written if each[1] != STANDARD_OUTPUT]
    console = terminal.console(stderr=outputs.quiet or STANDARD_OUTPUT in outputs.paths.values())
    if not outputs.quiet:
        print_report(console, report)
    elif report.summary.verdict != LoadVerdict.GOOD:
        console.print(Text(headline(report)), soft_wrap=True)
    failures += [_saved(*each) for each in written if each[1] == STANDARD_OUTPUT]
    if any(failures):
        raise ConfigurationError("; ".join(filter(None, failures)))


def _saved(option: str, path: str, data: bytes) -> str:
    """Write an output; return the error, or nothing."""
    why = save(path, data)
    return f"{option} {path}: can't be written: {why}" if why else ""


def _files(report: Report, outputs: Outputs) -> Iterator[tuple[str, str, bytes]]:
    """Yield the option, the path and the content of each file."""
    if outputs.json is not None:
        yield "--json", outputs.json, (json.dumps(document(report), indent=2) + "\n").encode()
    if outputs.html is not None:
        from echoproto.load.report.page import page
        from echoproto.pages import vega

        yield "--html", outputs.html, page(report, vega.svg).encode("utf-8", "backslashreplace")
    if outputs.hgrm is not None:
        outcome = report.outcome
        times = outcome.service_time if report.workload.rate is None else outcome.response_time
        file = io.BytesIO()
        times.write_percentiles(file)
        yield "--hgrm", outputs.hgrm, file.getvalue()
