"""
Paths that stay true when the process changes its folder.
"""

from __future__ import annotations

import os


def absolute(path: str) -> str:
    """
    Where a path leads from the current folder.

    :return: the path itself, if that folder is gone: whatever opens it says that there is no such file.
    """
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return path
