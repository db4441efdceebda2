"""
Whom a load may be aimed at without asking: this machine; others only with little.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from echoproto.load.workload import Workload
from echoproto.units import show_size

MOST_CONNECTIONS = 100
"""Connections that nobody takes for an attack."""

MOST_RATE = 1_000
"""Messages a second, likewise."""

MOST_BYTES = 10 << 20
"""Bytes a second, likewise: some 80 Mbit/s."""


def is_loopback(address: str) -> bool:
    """
    Whether an IP address is this machine's alone, also if it is an IPv4 address written as IPv6.

    :param address: may have a scope, as in ``fe80::1%eth0``.
    """
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def flood(workload: Workload, *, searching: bool = False) -> str | None:
    """
    Why a load would be a flood to somebody who has not asked for it; ``None`` if it would not.

    :param searching: whether the rate is yet to be found.
    """
    connections = workload.connections + workload.idle
    if searching:
        return "--find-rate sends as much as the target can take"
    if workload.rate is None:
        return "without --rate, as much is sent as the target can take"
    if connections > MOST_CONNECTIONS:
        return f"{connections:,} connections are more than {MOST_CONNECTIONS}"
    if workload.rate > MOST_RATE:
        return f"{workload.rate:,.0f} messages a second are more than {MOST_RATE:,}"
    if workload.rate * workload.largest > MOST_BYTES:
        return f"{show_size(workload.largest)} at that rate are more than {show_size(MOST_BYTES)} a second"
    return None


def refusal(workload: Workload, addresses: Iterable[str], *, searching: bool = False) -> str | None:
    """
    Why a load is refused, in one line; ``None`` if it is not.

    :param addresses: all that the target's name stands for; none for a Unix socket.
    """
    others = [address for address in addresses if not is_loopback(address)]
    why = flood(workload, searching=searching)
    if not others or why is None:
        return None
    return f"{workload.target} is not this machine ({others[0]}), and {why}; --i-own-this-host says that you may"
