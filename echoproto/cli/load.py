"""
The command ``echoproto load``: its options, and what it does with them.

Only what --help needs is imported here; the rest is the matter of `echoproto.load.session`.
"""

from __future__ import annotations

import secrets
import sys
from typing import Any

import click

from echoproto.cli.types import (
    CONTEXT,
    POSITIVE,
    TIME,
    Parsed,
    RegularFile,
    Whole,
    churn_option,
    option,
    overwrite_option,
    quiet_option,
    rate_option,
    require,
    schema_option,
    seed_option,
)
from echoproto.load import outputs
from echoproto.load.options import Options
from echoproto.load.search import parse_aim
from echoproto.load.target import MAX_UNASKED_CONNECTIONS
from echoproto.units import parse_sizes

LARGEST_PID = 2**31 - 1

EPILOG = f"""\b
Examples:
  echoproto load tcp:127.0.0.1:8888
      as much as comes back over 50 connections of 64 bytes, for 10 seconds
  echoproto load tcp:127.0.0.1:8888 --rate 5000 --html report.html
      5,000 messages a second: the only way to learn how late an echo is
  echoproto load tls:localhost:8889 --insecure --churn=reset --count 10000
      a connection for each message, closed by RST
  echoproto load udp:[::1]:8888 --size 64-1400 --json -
  echoproto load tcp:127.0.0.1:8888 --find-rate 'p99<2ms'
  echoproto load --server 'twistd -n --pidfile= echo --port {{port}}'
      its own server, whose processor time is reported, too

\b
Exit status:
    0  all came back, unharmed
    1  the service lost or harmed data, or connections broke; --find-rate: no rate holds the aim
    2  invalid option, file or value, or refused; a file of the report can't be written
    3  unreachable; TLS or the greeting failed; over UDP, nothing came back
    4  client limit: the generator itself was the limit, or ran out of descriptors or ports
   70  a fault of this program itself; ECHOPROTO_DEBUG=1 shows its traceback
  130  interrupted (Ctrl-C, SIGTERM); the report is marked as partial

Without --rate, and with more than {MAX_UNASKED_CONNECTIONS} connections, only this machine may be the target.
"""


SIZE = Parsed("size", parse_sizes)
AIM = Parsed("aim", parse_aim)
MAX_CONNECTIONS = 1_000_000
"""As many as Linux lets a process have descriptors, unless told otherwise."""
MAX_WINDOW = 1_000_000
MAX_PROCESSES = 1_000


@click.command(epilog=EPILOG, context_settings=CONTEXT)
@click.argument("target", required=False)
@option(
    "--connections", "-c", type=Whole(1, MAX_CONNECTIONS), default=50, help="That exchange messages; over UDP, sockets."
)
@option("--size", "-s", type=SIZE, default="64", help="Of a message: 64, 10KiB, 64-1KiB.")
@option("--duration", "-d", type=TIME, help="To measure for, such as 30s or 5m.  [default: 10s]")
@option("--count", "-n", type=POSITIVE, help="Messages to send, in place of --duration.")
@option("--warmup", type=TIME, default="1s", help="Before measuring begins; what comes back is checked all the same.")
@rate_option("-r")
@option("--arrivals", type=click.Choice(["uniform", "poisson"]), help="How --rate spreads them.  [default: uniform]")
@option("--find-rate", type=AIM, help="Find the highest rate that holds an aim: 'p99<2ms'.")
@option("--window", "-w", type=Whole(1, MAX_WINDOW), default=1, help="Messages in flight on each connection.")
@option("--idle", type=Whole(0, MAX_CONNECTIONS), default=0, help="Further connections, which say nothing.")
@churn_option
@option("--half-close", is_flag=True, help="Close the sending side after the last message, and read to the end.")
@option("--processes", "-p", type=Whole(1, MAX_PROCESSES), default=1, help="That share the work.")
@option("--greeting", help="What each connection is sent first.  [default: 'Hello\\n' or nothing, whichever comes]")
@option("--proxy", type=click.Choice(["v1", "v2"]), help="Send a header of the PROXY protocol first.")
@seed_option
@option("--insecure", is_flag=True, help="Take any TLS certificate.")
@option("--ca", type=RegularFile(exists=True, dir_okay=False, readable=True), help="PEM file of whom TLS trusts.")
@option("--server-pid", type=Whole(1, LARGEST_PID), help="Report this process's time on the processor.")
@option("--server", help="Command that serves for as long; {port} in it and in TARGET is a free TCP port.")
@option("--json", metavar="FILE", help="Write the report as JSON, to standard output with -.")
@option("--html", metavar="FILE", help="Write it as a page with pictures.")
@option("--hgrm", metavar="FILE", help="Write the percentiles as HdrHistogram's tools read them.")
@overwrite_option
@schema_option("echoproto.load.report", "schema/load-1.json", "Print the schema of the JSON report.")
@quiet_option
@option("--i-own-this-host", is_flag=True, help="Also load what is not this machine.")
def load(
    *, target: str | None, server: str | None, i_own_this_host: bool, seed: int | None, overwrite: bool, **given: Any
) -> None:
    """
    Send messages to an echo, check every byte that comes back, and say how fast it was and how late.

    TARGET is tcp:HOST:PORT, tls:HOST:PORT, udp:HOST:PORT or unix:PATH; an IPv6 address stands in brackets;
    unix:@NAME is an abstract name.
    """
    paths = {name: outputs.named(given.pop(name)) for name in ("json", "html", "hgrm")}
    quiet = given.pop("quiet")
    require("load", "hdrh", "psutil")
    if paths["html"] is not None:
        require("html", "altair", "jinja2", "vl_convert", by="--html")
    outputs.check({f"--{name}": path for name, path in paths.items()}, overwrite=overwrite)
    options = Options(**given, seed=secrets.randbits(63) if seed is None else seed)
    from echoproto.load import session

    sys.exit(session.run(target, server, options, session.Outputs(**paths, quiet=quiet), own_host=i_own_this_host))
