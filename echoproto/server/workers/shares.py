"""
How many workers there are, and which part of the settings each of them holds to.
"""

from __future__ import annotations

import re

from attrs import evolve

from echoproto.server.settings.table import Settings
from echoproto.server.settings.values import AUTO


def count_of(settings: Settings, processors: int) -> int:
    """
    How many processes are to serve.

    :param processors: how many this process may use, at least 1.
    """
    return processors if settings.workers == AUTO else int(settings.workers)


def share_of(settings: Settings, number: int, workers: int) -> Settings:
    """
    The settings of one worker: limits of all together are divided, so that the shares add up to them, but where there
    is less than one for each, each has one.

    :param number: which one, from 0.
    :param workers: how many there are, at least 1.
    """

    def part(whole: int) -> int:
        return max(whole // workers + (number < whole % workers), min(1, whole))

    return evolve(
        settings,
        listen=tuple(map(_as_handed_over, settings.listen)),
        max_connections=None if settings.max_connections is None else part(settings.max_connections),
        accept_rate=part(settings.accept_rate),
        udp_rate=part(settings.udp_rate),
    )


def _as_handed_over(endpoint: str) -> str:
    """The sockets of systemd are handed to the process that it starts; a worker has them from there, like others."""
    if not endpoint.startswith("systemd:"):
        return endpoint
    domain = re.search(r":(?:domain=)?(INET6?|UNIX)(?=:|$)", endpoint)  # which may be given without its name
    return {"UNIX": "unix:systemd", "INET6": "tcp6:0"}.get(domain[1] if domain else "", "tcp:0")
