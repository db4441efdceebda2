"""
The command ``echoproto load``: its options, and the run that they ask for.

Imports only the modules that --help needs; the work is done by `echoproto.load.session`.
"""

from __future__ import annotations

import secrets
import sys
from typing import Any

import click

from echoproto.cli.command import INTERNAL_ERROR, Command
from echoproto.cli.types import (
    POSITIVE,
    REGULAR_FILE,
    TIME,
    Parsed,
    Word,
    churn_option,
    option,
    overwrite_option,
    quiet_option,
    rate_option,
    require,
    schema_option,
    seed_option,
    whole,
)
from echoproto.host import files
from echoproto.load.options import Options, parse_aim
from echoproto.load.target import MAX_UNASKED_BYTES, MAX_UNASKED_CONNECTIONS, MAX_UNASKED_RATE
from echoproto.load.workload import SEED_BITS
from echoproto.units import parse_sizes, show_size

LARGEST_PID = 2**31 - 1

EXAMPLES = {
    "echoproto load tcp:127.0.0.1:8888": (
        "Maximum throughput over 50 connections with 64-byte messages, for 10 seconds."
    ),
    "echoproto load tcp:127.0.0.1:8888 --rate 5000 --html report.html": (
        "5,000 messages per second; only a fixed rate shows the response time."
    ),
    "echoproto load tls:localhost:8889 --insecure --churn=reset": "A new connection for each message, closed by RST.",
    "echoproto load udp:[::1]:8888 --size 64-1400 --json -": "Datagrams of random size, and a report for programs.",
    "echoproto load tcp:127.0.0.1:8888 --find-rate 'p99<2ms'": "The highest rate at which p99 stays below 2 ms.",
    "echoproto load --server 'twistd -n --pidfile= echo --port {port}'": (
        "Start the server as well, and report its CPU time."
    ),
}

EXIT_STATUS = {
    0: "every byte came back unchanged",
    1: "the service lost or corrupted data, or connections broke; --find-rate: no rate meets the target",
    2: "invalid option, file or value; refused target; a report file can't be written",
    3: "the service is unreachable; TLS or the greeting failed; over UDP, nothing came back",
    4: "client limit: the generator was the bottleneck, or ran out of descriptors, ports or memory",
    **INTERNAL_ERROR,
    130: "interrupted (Ctrl-C, SIGTERM); the report is marked as partial",
}

EPILOG = (
    "Another machine may be the target of a light load: with --rate, and at most "
    f"{MAX_UNASKED_CONNECTIONS} connections, {MAX_UNASKED_RATE:,} messages and {show_size(MAX_UNASKED_BYTES)} per "
    "second. For more, confirm with --i-own-this-host that you may."
)


SIZE = Parsed("size", parse_sizes)
AIM = Parsed("percentile<time", parse_aim)
MAX_CONNECTIONS = 1_000_000
"""As many as Linux lets a process have descriptors, unless told otherwise."""
MAX_WINDOW = 1_000_000
MAX_PROCESSES = 1_000


@click.command(cls=Command, examples=EXAMPLES, exit_status=EXIT_STATUS, epilog=EPILOG)
@click.argument("target", required=False)
@option(
    "--connections", "-c", type=whole(1, MAX_CONNECTIONS), default=50, help="Concurrent connections (UDP: sockets)."
)
@option("--size", "-s", type=SIZE, default="64", help="Message size or range, such as 64 or 64-1KiB.")
@option("--duration", "-d", type=TIME, help="Measuring time, such as 30s or 5m.  [default: 10s]")
@option("--count", "-n", type=POSITIVE, help="Number of messages to send, instead of --duration.")
@option("--warmup", type=TIME, default="1s", help="Warm-up time; replies are checked but not measured.")
@rate_option("-r")
@option("--arrivals", type=Word(["uniform", "poisson"]), help="Spacing of --rate.  [default: uniform]")
@option("--find-rate", type=AIM, help="Find the highest rate that meets a latency target, such as 'p99<2ms'.")
@option("--window", "-w", type=whole(1, MAX_WINDOW), default=1, help="Messages in flight per connection.")
@option("--idle", type=whole(0, MAX_CONNECTIONS), default=0, help="Additional connections that stay idle.")
@churn_option
@option("--half-close", is_flag=True, help="Close the sending side after the last message, then read to the end.")
@option("--processes", "-p", type=whole(1, MAX_PROCESSES), default=1, help="Generator processes.")
@option("--greeting", help="Greeting that the service sends first.  [default: 'Hello\\n' or none, detected]")
@option("--proxy", type=Word(["v1", "v2"]), help="Send a PROXY protocol header first.")
@seed_option
@option("--insecure", is_flag=True, help="Do not verify the server's certificate.")
@option("--ca", type=REGULAR_FILE, help="PEM file of trusted certificates.")
@option("--server-pid", type=whole(1, LARGEST_PID), help="Report the CPU time of this server process.")
@option("--server", help="Command that starts a server; {port} in it and in TARGET becomes a free TCP port.")
@option("--json", metavar="FILE", help="Write the report as JSON; - is standard output.")
@option("--html", metavar="FILE", help="Write the report as an HTML page with charts.")
@option("--hgrm", metavar="FILE", help="Write the percentiles in HdrHistogram's text format.")
@overwrite_option
@schema_option("echoproto.load.report", "schema/load-2.json", "Print the JSON schema of the report and exit.")
@quiet_option
@option("--i-own-this-host", is_flag=True, help="Allow heavy load on another machine.")
def load(
    *, target: str | None, server: str | None, i_own_this_host: bool, seed: int | None, overwrite: bool, **given: Any
) -> None:
    """
    Send messages to an echo service, check every byte of the replies, and report throughput and latency.

    TARGET is tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH. Write an IPv6 address in brackets, such as
    tcp:[::1]:8888. unix:@NAME is an abstract socket name (Linux).
    """
    paths = {name: files.named(given.pop(name)) for name in ("json", "html", "hgrm")}
    quiet = given.pop("quiet")
    require("load", "hdrh", "psutil")
    if paths["html"] is not None:
        require("html", "altair", "jinja2", "vl_convert", by="--html")
    files.check({f"--{name}": path for name, path in paths.items()}, overwrite=overwrite)
    options = Options(**given, seed=secrets.randbits(SEED_BITS) if seed is None else seed)
    from echoproto.load import session

    sys.exit(session.run(target, server, options, session.Outputs(**paths, quiet=quiet), own_host=i_own_this_host))
