"""
Two options of prctl(2) on Linux that keep a child process from outliving its parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

LINUX = sys.platform.startswith("linux")

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
"""Numbers of these options in linux/prctl.h."""


def adopt_orphans() -> None:
    """
    Become the parent of every descendant whose own parent ends, in place of process 1.

    :raise OSError: if the kernel refuses.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """
    Request a SIGKILL from the kernel for the end of the thread that started this process, even across an exec.

    :raise OSError: if the kernel refuses.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
