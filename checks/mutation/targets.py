"""
The modules to mutate, and the tests that run on their mutants.
"""

from __future__ import annotations

from attrs import frozen

REACTOR = "epoll"


@frozen
class Target:
    """
    A module whose mutants the tests must catch.

    :ivar path: path of its file, relative to the project's folder.
    :ivar tests: names of test modules; the one that mirrors it comes first, since it catches most.
    :ivar reactors: reactors for trial to run them on, one after the other.
    """

    path: str
    tests: tuple[str, ...]
    reactors: tuple[str, ...] = (REACTOR,)

    @property
    def module(self) -> str:
        """Its name for ``import``."""
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def name(self) -> str:
        """Its name on the command line, such as ``server/limits/drain``."""
        return self.path.removeprefix("echoproto/").removesuffix(".py")


TARGETS = (
    Target("echoproto/protocol.py", ("tests.test_protocol", "tests.test_protocol_on_reactors")),
    Target("echoproto/datagram.py", ("tests.test_datagram",)),
    Target("echoproto/addresses.py", ("tests.test_addresses",)),
    Target("echoproto/reactors/lean.py", ("tests.reactors.test_lean_turns", "tests.reactors.test_lean")),
    Target("echoproto/reactors/leanepoll.py", ("tests.reactors.test_leanepoll", "tests.reactors.test_lean")),
    Target("echoproto/reactors/leanpoll.py", ("tests.reactors.test_leanpoll", "tests.reactors.test_lean")),
    Target(
        "echoproto/reactors/transports.py", ("tests.reactors.test_transports", "tests.server.sockets.test_connection")
    ),
    Target(
        "echoproto/server/sockets/connection.py",
        ("tests.server.sockets.test_connection", "tests.server.sockets.test_connection_ends"),
    ),
    Target("echoproto/server/sockets/queues.py", ("tests.server.sockets.test_queues",)),
    Target("echoproto/server/limits/deadlines.py", ("tests.server.limits.test_deadlines",)),
    Target("echoproto/tokenbucket.py", ("tests.test_tokenbucket",)),
    Target("echoproto/server/limits/admission.py", ("tests.server.limits.test_admission",)),
    Target("echoproto/server/limits/drain.py", ("tests.server.limits.test_drain",)),
    Target("echoproto/server/log/budget.py", ("tests.server.log.test_budget",)),
    Target(
        "echoproto/server/sockets/accept.py",
        ("tests.server.sockets.test_accept_errors", "tests.server.sockets.test_accept"),
    ),
    Target("echoproto/server/log/connections.py", ("tests.server.log.test_connections",)),
    Target("echoproto/server/service.py", ("tests.server.test_service_stop", "tests.server.test_service")),
    Target("echoproto/server/log/faults.py", ("tests.server.log.test_faults",)),
    Target("echoproto/server/connections.py", ("tests.server.test_connections",)),
    Target("echoproto/server/counters.py", ("tests.server.test_counters",)),
    Target("echoproto/server/workers/supervisor.py", ("tests.server.workers.test_supervisor",)),
    Target("echoproto/load/client/messages.py", ("tests.load.client.test_messages",)),
    Target(
        "echoproto/load/client/diagnosis.py", ("tests.load.client.test_diagnose", "tests.load.client.test_diagnosis")
    ),
)


def named(words: list[str]) -> list[Target]:
    """
    Choose targets.

    :param words: such as ``server/limits/drain``, ``drain`` or ``echoproto/server/limits/drain.py``; none for all.
    :raise KeyError: with a word that names no target.
    """
    chosen: list[Target] = []
    for word in words:
        matching = [
            each for each in TARGETS if word in (each.name, each.path, each.module, each.name.rpartition("/")[2])
        ]
        if not matching:
            raise KeyError(word)
        chosen += matching
    return chosen or [*TARGETS]
