"""The options of ``echoproto load`` together, two by two: each run ends by itself, or is refused in one line."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from attrs import fields

from echoproto.cli.load import load
from echoproto.errors import ConfigurationError
from echoproto.host.signals import Deadline, Interruption
from echoproto.load.options import Options, workload_for
from echoproto.load.outcome import Outcome
from echoproto.load.processes import run
from echoproto.load.summary import summarise
from echoproto.load.target import parse_target
from echoproto.load.verdict import LoadVerdict
from echoproto.load.workload import Workload
from tests.integration.twistd import PATIENCE, TwistdCase
from tests.support.pairs import Pair, rows

FACTORS = {
    "transport": ["tcp", "tls", "unix", "udp"],
    "--churn": ["", "fin", "reset"],
    "--half-close": ["", "yes"],
    "end": ["--duration 150ms", "--count 60"],
    "rate": ["", "--rate 300", "--rate 300 --arrivals poisson", "--rate 50000"],
    "--window": ["", "3"],
    "--idle": ["", "3"],
    "--greeting": ["", "Hello\n"],
    "--warmup": ["0", "50ms"],
    "--processes": ["1", "2"],
    "--size": ["64", "16-30000"],
    "--connections": ["4", "2"],
}
"""Options and their values, nothing for the default; ``end`` and ``rate`` are whole groups of words."""

FORBIDDEN: list[Pair] = [
    frozenset(pair)
    for pair in (
        *((("transport", "udp"), ("--churn", churn)) for churn in ("fin", "reset")),
        (("transport", "udp"), ("--half-close", "yes")),
        (("transport", "udp"), ("--idle", "3")),
        (("transport", "udp"), ("--greeting", "Hello\n")),
        *((("--churn", churn), ("--window", "3")) for churn in ("fin", "reset")),
        (("--churn", "reset"), ("--half-close", "yes")),
    )
]
"""Options that contradict each other."""

ENDS = {LoadVerdict.GOOD, LoadVerdict.CLIENT_LIMIT, LoadVerdict.NOTHING}
"""Verdicts: a rate may be too high for the generator, and on a busy machine, so short a time for any echo."""

LOST = "lost"
"""UDP may lose datagrams."""


def words(row: dict[str, str]) -> list[str]:
    """The options of a row."""
    found = [*row["end"].split(), *row["rate"].split()]
    for name, value in row.items():
        if name.startswith("--") and value:
            found += ["--half-close"] if name == "--half-close" else [f"{name}={value}"]
    return found


class OptionsTests(TwistdCase):
    def setUp(self) -> None:
        folder = self.folder()
        tls = self.tls_endpoint()
        path = os.path.join(folder, "s")
        listen = ("--listen", f"unix:{path}", "--listen", tls, "--interface", "127.0.0.1", "--udp", "0", "--port", "0")
        server = self.serve(*listen, "--log-connections", "off")
        tcp = server.port
        [secure] = {found[3] for found in (server.listening(), server.listening())} - {"None"}
        udp = server.wait_for(r"Listening for UDP, .* port (\d+)$")[1]
        self.targets = {
            "tcp": [f"tcp:127.0.0.1:{tcp}"],
            "tls": [f"tls:127.0.0.1:{secure}", "--insecure"],
            "unix": [f"unix:{path}"],
            "udp": [f"udp:127.0.0.1:{udp}"],
        }

    def workload(self, row: dict[str, str]) -> Workload:
        """The workload that the command would generate."""
        given = load.make_context("load", [*self.targets[row["transport"]], *words(row)]).params
        options = Options(**{field.name: given[field.name] for field in fields(Options) if field.name != "seed"})
        return workload_for(parse_target(given["target"]), options)

    def verdict(self, row: dict[str, str]) -> tuple[dict[str, str], Outcome, str]:
        workload = self.workload(row)
        outcome = run(workload, interruption=Deadline(Interruption(), time.monotonic() + PATIENCE))
        return row, outcome, summarise(workload, outcome).verdict

    def test_each_pair_ends(self) -> None:
        """L1"""
        with ThreadPoolExecutor(2) as pool:
            for row, outcome, verdict in pool.map(self.verdict, rows(FACTORS, FORBIDDEN)):
                self.assertFalse(outcome.interrupted, row)
                allowed = ENDS | {LOST} if row["transport"] == "udp" else ENDS
                self.assertIn(verdict, allowed, (row, outcome))

    def test_what_contradicts_itself_is_refused_in_one_line(self) -> None:
        plain = {name: values[0] for name, values in FACTORS.items()}
        for pair in FORBIDDEN:
            row = {**plain, **dict(pair)}
            error = self.assertRaises(ConfigurationError, self.workload, row)
            self.assertEqual((error.exit_status, len(str(error).splitlines())), (2, 1), row)
