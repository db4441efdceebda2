"""
The environment of a measurement: the machine, the system, and the programs.
"""

from __future__ import annotations

import os
import platform
import resource
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from echoproto.host.limits import Cores

PACKAGES = ("echoproto", "hdrhistogram", "twisted", "uvloop")

CPU_INFO = "/proc/cpuinfo"
"""File of Linux with the processor's name; other systems have only that of `platform`."""


GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"

SYSCTLS = ("net/core/somaxconn", "net/ipv4/ip_local_port_range")
"""Kernel limits that a server or the generator may reach."""


def environment(cores: Cores | None = None) -> dict[str, str | int]:
    """
    Return the environment as text and numbers, without the machine's name, which is private.

    :param cores: processors of the servers and the generator of a comparison; ``None`` for any.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found: dict[str, str | int] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{package: _version(package) for package in PACKAGES},
        "descriptors_soft": soft,
        "descriptors_hard": hard,
        "governor": _read(GOVERNOR),
        **{name.rpartition("/")[2]: _read(f"/proc/sys/{name}") for name in SYSCTLS},
        "pinned": str(cores or "no"),
    }
    if hasattr(os, "getloadavg"):
        found["load_average"] = f"{os.getloadavg()[0]:.2f}"
    return found


def _cpu() -> str:
    """Return the processor's name, or its architecture if the name is unknown."""
    if os.path.exists(CPU_INFO):
        with open(CPU_INFO, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _read(path: str) -> str:
    """Return the text of a system file; "unknown" if the file is missing."""
    try:
        with open(path, encoding="ascii") as file:
            return " ".join(file.read().split())
    except OSError:
        return "unknown"
