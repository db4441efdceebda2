"""
The clock of a reactor's timers.

`twisted.internet.base.ReactorBase.seconds` is ``time.time``: set the machine's clock back by an hour, and a timer
that was due in a second is due in an hour.
"""

from __future__ import annotations

import time

from twisted.internet.interfaces import IReactorTime


def follow_monotonic_clock(reactor: IReactorTime) -> bool:
    """
    Make the reactor's timers follow the monotonic clock, unless a timer was already set by the wall clock.

    :param reactor: an installed reactor, before anything is scheduled on it.
    :return: true if the timers follow the monotonic clock from now on; false, and no change, with timers pending.
    """
    if reactor.getDelayedCalls():
        return False
    # An instance attribute hides the class's staticmethod; DelayedCall receives this attribute.
    vars(reactor)["seconds"] = time.monotonic
    return True
