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
    Have the reactor's timers follow the monotonic clock, if none was set by the wall clock yet.

    :param reactor: a reactor that was installed, but on which nothing is scheduled.
    :return: whether they do from now on; with timers pending, nothing is changed.
    """
    if reactor.getDelayedCalls():
        return False
    # An instance attribute hides the class's staticmethod; DelayedCall is handed whatever stands here.
    vars(reactor)["seconds"] = time.monotonic
    return True
