"""
What a load was measured with: the machine, the system, and the programs.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

CPU_INFO = "/proc/cpuinfo"
"""Linux's; elsewhere, `platform` has to do."""


def environment() -> dict[str, str | int]:
    """All of it, as text and numbers; no name of the machine, which is nobody else's business."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "echoproto": version("echoproto"),
        "hdrhistogram": version("hdrhistogram"),
    }


def _cpu() -> str:
    """The processor's name, as far as the system tells it."""
    if os.path.exists(CPU_INFO):
        with open(CPU_INFO, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
