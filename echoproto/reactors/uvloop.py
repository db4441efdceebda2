"""
Twisted's asyncio reactor on uvloop's event loop; installed by ``twistd --reactor uvloop`` for any service.
"""

from __future__ import annotations

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.main import installReactor

try:
    import uvloop
except ImportError as error:
    raise ImportError("uvloop is not installed: pip install 'echoproto[uvloop]'") from error

__all__ = ["UvloopReactor", "install"]


class UvloopReactor(AsyncioSelectorReactor):
    """An asyncio reactor with an event loop of its own, made by uvloop."""

    def __init__(self) -> None:
        super().__init__(uvloop.new_event_loop())


def install() -> None:
    """Make it the reactor of this process; before anything imports ``twisted.internet.reactor``."""
    installReactor(UvloopReactor())
