"""
What a comparison was measured with: what the load generator tells of it, and what else matters to servers.
"""

from __future__ import annotations

import os
import resource
from importlib.metadata import PackageNotFoundError, version

from echoproto.host.environment import environment as of_the_load
from echoproto.host.limits import Cores

GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"

SYSCTLS = ("net/core/somaxconn", "net/ipv4/ip_local_port_range")
"""Limits of the kernel that a server or the generator may meet."""


def environment(cores: Cores | None) -> dict[str, str | int]:
    """
    All of it, as text and numbers.

    :param cores: on which servers and the generator run; ``None`` if on any.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found: dict[str, str | int] = {**of_the_load(), "twisted": _version("twisted"), "uvloop": _version("uvloop")}
    found["descriptors_soft"], found["descriptors_hard"] = soft, hard
    found["governor"] = _read(GOVERNOR)
    for name in SYSCTLS:
        found[name.rpartition("/")[2]] = _read(f"/proc/sys/{name}")
    found["pinned"] = str(cores or "no")
    if hasattr(os, "getloadavg"):
        found["load_average"] = f"{os.getloadavg()[0]:.2f}"
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _read(path: str) -> str:
    """What a file of the system says; "unknown" if there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return " ".join(file.read().split())
    except OSError:
        return "unknown"
