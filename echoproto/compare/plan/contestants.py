"""
The servers that are compared: which there are, how each is started, and what each can't hold.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec

from attrs import evolve, field, frozen

from echoproto.compare.results import Cell, Contestant
from echoproto.errors import ConfigurationError, nearest, not_installed, quoted
from echoproto.host.limits import Machine
from echoproto.reactors.selection import auto_name, candidates

REACTORS = ("epoll", "poll", "select", "kqueue", "asyncio", "uvloop", "lean-epoll", "lean-poll", "lean-kqueue")
"""Reactors in the catalogue: those that servers use."""

SERVERS = "{python} -P -m echoproto.compare.servers."

SERVICE = "{twistd} -n --pidfile= echo --greeting '' --log-connections off --idle 0"

STREAMS = ("tcp", "tls")
ALL = ("tcp", "tls", "udp")

LARGEST_SET = 1024
"""FD_SETSIZE: select(2) takes descriptors below it only."""

OWN_DESCRIPTORS = 40
"""Maximum descriptors of a server besides its connections."""

THREAD = 64 << 10
"""Bytes of memory that a thread of the standard library's server takes, at the least."""

PROCESS = 2 << 20
"""Bytes of memory that a process of it takes, which it does not share with the one that it was forked from; with those
that the system has for it."""

CONNECTING, THREADING, FORKING = 1 / 8_000, 1 / 700, 1 / 300
"""Seconds for each connection that a sample takes: a loop's; with a thread, or a process, started and looked at."""

SHARE_OF_MEMORY = 0.5
"""Share of the available memory that a server may be expected to take."""


@frozen(kw_only=True)
class Entry:
    """
    A server that may be compared.

    :ivar commands: that start it, by transport; ``{port}``, ``{pem}``, ``{python}`` and ``{twistd}`` in them are filled
        in then.
    :ivar reactor: that it runs on; empty if none of Twisted's.
    :ivar why_not: why it can't be started here; empty if it can.
    :ivar selects: whether it waits with select(2).
    :ivar task: bytes of memory for each connection, if that has a thread or process of its own.
    :ivar forks: whether it has a process of its own, and so descriptors.
    :ivar connecting: seconds for each connection that a sample takes.
    """

    name: str
    group: str
    description: str
    commands: Mapping[str, str] = field(factory=dict, hash=False)
    reactor: str = ""
    why_not: str = ""
    selects: bool = False
    task: int = 0
    forks: bool = False
    connecting: float = CONNECTING

    def contestant(self, transport: str) -> Contestant:
        """Return its description for the results."""
        command = tuple(shlex.split(self.commands.get(transport, "")))
        return Contestant(self.name, self.group, command, self.description)

    def cannot(self, cell: Cell, machine: Machine) -> str:
        """Explain in one line why it can't hold a cell; empty if nothing is known."""
        connections = 0 if cell.transport == "udp" else cell.connections + cell.idle
        if self.why_not:
            return self.why_not
        if cell.transport not in self.commands:
            return f"it does not speak {cell.transport.upper()}"
        if self.selects and connections > LARGEST_SET - OWN_DESCRIPTORS:
            return f"select(2) takes descriptors below {LARGEST_SET:,} only (FD_SETSIZE)"
        if not self.forks and connections > machine.descriptors - OWN_DESCRIPTORS:
            return f"a process may have {machine.descriptors:,} descriptors only (ulimit -n)"
        return self._cannot_start_for_each(connections, machine) if self.task else ""

    def _cannot_start_for_each(self, connections: int, machine: Machine) -> str:
        if connections > machine.tasks:
            return f"{machine.tasks:,} threads and processes may be started, one for each connection"
        needed = connections * self.task
        if needed > machine.memory * SHARE_OF_MEMORY:
            needs, free = (f"{size >> 20:,} MiB" for size in (needed, machine.memory))
            return f"{connections:,} connections need {needs} of memory, and {free} are free"
        return ""


def catalogue() -> dict[str, Entry]:
    """All servers that are known, by name: ours and Twisted's on each reactor, and others."""
    return {entry.name: entry for entry in (*_on_reactors(), *_others())}


def _on_reactors() -> Iterator[Entry]:
    found = {candidate.name: candidate.why_not for candidate in candidates()}
    for reactor in REACTORS:
        why_not = found.get(reactor, "there is no such reactor")
        for entry in _entries(reactor):
            yield evolve(
                entry,
                reactor=reactor,
                why_not=f"not available here: {why_not}" if why_not else "",
                selects=reactor == "select",
            )


def _entries(reactor: str) -> Iterator[Entry]:
    yield _ours(reactor)
    if reactor.startswith("lean-"):
        return  # they write at once by themselves, and stock Twisted has none of them
    yield _ours(reactor, buffered=True)
    yield Entry(
        name=f"twisted-{reactor}",
        group="twisted",
        description=f"Twisted's own wire.Echo on {reactor}",
        commands=_with_transports(f"{SERVERS}twistedecho {{port}} --reactor {reactor}", ALL),
    )


def _ours(reactor: str, *, buffered: bool = False) -> Entry:
    command = f"{SERVICE} --reactor {reactor}{' --writes buffered' if buffered else ''}"
    return Entry(
        name=f"echo-{reactor}{'-buffered' if buffered else ''}",
        group="echoproto",
        description=f"our service on {reactor}{', writing as Twisted does by itself' if buffered else ''}",
        commands={
            "tcp": f"{command} --interface 127.0.0.1 --port {{port}}",
            "tls": f"{command} --listen 'ssl:{{port}}:interface=127.0.0.1:privateKey={{pem}}:certKey={{pem}}'",
            "udp": f"{command} --interface 127.0.0.1 --port 0 --udp {{port}}",
        },
    )


def _others() -> Iterator[Entry]:
    uvloop = "" if find_spec("uvloop") else not_installed("uvloop", "uvloop")
    yield _other("asyncio-protocol", "asyncio", "a protocol of asyncio's", ALL)
    yield _other("asyncio-streams", "asyncio", "a coroutine of asyncio's for each connection", STREAMS)
    yield evolve(_other("uvloop-protocol", "uvloop", "the same protocol on uvloop", ALL), why_not=uvloop)
    threads = _other("threads", "socketserver", "a thread for each connection", ("tcp",))
    yield evolve(threads, task=THREAD, connecting=THREADING)
    processes = _other("processes", "socketserver", "a process for each connection", ("tcp",))
    yield evolve(processes, task=PROCESS, forks=True, connecting=FORKING)


def _other(name: str, group: str, description: str, transports: Iterable[str]) -> Entry:
    module = name.replace("-", "")
    commands = _with_transports(f"{SERVERS}{module} {{port}}", transports)
    return Entry(name=name, group=group, description=description, commands=commands)


def _with_transports(command: str, transports: Iterable[str]) -> dict[str, str]:
    options = {"tcp": "", "tls": " --transport tls --pem {pem}", "udp": " --transport udp"}
    return {transport: command + options[transport] for transport in transports}


def of_command(text: str) -> Entry:
    """
    A server of the user's own.

    :param text: ``NAME=COMMAND``, with ``{port}`` in the command.
    :raise ConfigurationError: if it is something else.
    """
    name, equals, command = text.partition("=")
    if not equals or not name or not name.isprintable():
        raise ConfigurationError(f"{quoted(text)}: expected NAME=COMMAND, for example mine='./server {{port}}'")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(f"the command of {quoted(name)} is invalid: {error}") from error
    if not any("{port}" in word for word in words):
        raise ConfigurationError(
            f"the command of {quoted(name)} must contain {{port}}, for example './server {{port}}'"
        )
    return Entry(name=name, group="command", description=command, commands=dict.fromkeys(ALL, command))


def on_reactors(names: Iterable[str]) -> tuple[str, ...]:
    """
    The names of our service on some reactors.

    :param names: as on the command line of the service; ``auto`` is one of them.
    :raise ConfigurationError: if there is no such reactor.
    """
    names, known = tuple(names), ("auto", *REACTORS)
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"--reactors {name}: no such reactor{nearest(name, known)}; must be one of {', '.join(known)}"
            )
    return tuple(f"echo-{auto_name() if name == 'auto' else name}" for name in names)


def pick(names: Iterable[str], known: Mapping[str, Entry]) -> tuple[Entry, ...]:
    """
    Those of some names, each once.

    :raise ConfigurationError: if there is no such name.
    """
    picked: dict[str, Entry] = {}
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"no such contestant: {quoted(name)}{nearest(name, known)}; must be one of {', '.join(known)}"
            )
        picked[name] = known[name]
    return tuple(picked.values())
