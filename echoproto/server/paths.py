"""
Paths that stay true when the process changes its folder.
"""

from __future__ import annotations

import os


def absolute(path: str) -> str:
    """
    Return the absolute path of one in the current folder.

    :return: the path itself, if that folder is gone; opening it reports a missing file.
    """
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return path
