"""
The number of workers, and the share of each in the limits.
"""

from __future__ import annotations

import re

from attrs import evolve

from echoproto.server.settings.table import Settings
from echoproto.server.settings.values import AUTO


def count_of(settings: Settings, processors: int) -> int:
    """
    Return the number of processes that serve.

    :param processors: number that this process may use, at least 1.
    """
    return processors if settings.workers == AUTO else int(settings.workers)


def share_of(settings: Settings, number: int, workers: int) -> Settings:
    """
    Return the settings of one worker, with its share of the limits.

    The shares add up to the limit; only where there is less than one for each worker, each has one.

    :param number: of the worker, from 0.
    :param workers: number of workers, at least 1.
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
    """Return a string for a socket that the service hands over: systemd knows only the service's process."""
    if not endpoint.startswith("systemd:"):
        return endpoint
    domain = re.search(r":(?:domain=)?(INET6?|UNIX)(?=:|$)", endpoint)  # the name of the argument may be missing
    return {"UNIX": "unix:systemd", "INET6": "tcp6:0"}.get(domain[1] if domain else "", "tcp:0")
