"""
The measurements of a running load, and their transfer into the outcome.
"""

from __future__ import annotations

import time

from echoproto.host.usage import Server, Use
from echoproto.load.histogram import Histogram, Times
from echoproto.load.outcome import MAX_DESCRIBED_FINDINGS, Outcome, Second
from echoproto.units import NS

LAST_SECOND_GRACE = NS // 2
"""ns after the end during which replies still count towards the last second."""


class Meter:
    """
    The counters and times of a load.

    :ivar outcome: results as of the last `tick`.
    :ivar measuring: true while times and messages count; everything else always counts.
    """

    def __init__(self, server_pid: int | None = None) -> None:
        self.outcome = Outcome()
        self.service = Times()
        self.response = Times()
        self.lag = Times()
        self.connect = Times()
        self.first_byte = Times()
        self.measuring = False
        self._server = None if server_pid is None else Server(server_pid)
        self._used = Use()
        self._begun = self._end = self._ticked = 0
        self._cpu = 0.0

    def read_server_usage(self) -> None:
        """Read the server's resource usage before the measurement; slow for a server with many processes."""
        if self._server:
            self._used = self._server.use(memory=False)

    def begin(self, now: int, end: int, *, anew: bool) -> None:
        """
        Begin the measurement, and discard earlier times.

        :param end: planned end in ns.
        :param anew: true to discard earlier connect times, too, because the load itself makes connections.
        """
        self.tick(now)
        if anew:
            self.outcome.connect_time, self.outcome.first_byte_time = Histogram(), Histogram()
        self._end = end
        for times in (self.service, self.response, self.lag):
            times.move()
        self.measuring = True
        self._begun = self._ticked = now
        self._cpu = time.process_time()

    def tick(self, now: int) -> int:
        """
        Update the outcome except its bytes; due at least once a second.

        :param now: time in ns.
        :return: messages echoed since the last tick.
        """
        outcome = self.outcome
        self.connect.move(outcome.connect_time)
        self.first_byte.move(outcome.first_byte_time)
        if not self.measuring:
            self.response.move()
            self.lag.move()
            count = self.service.move()
            outcome.warmup_messages += count
            return count
        over = self._ticked >= self._end + LAST_SECOND_GRACE
        second = Second() if over and not self.service.count else self._second(self._ticked)
        count = self.service.move(outcome.service_time, second.times)
        self.response.move(outcome.response_time)
        self.lag.move(outcome.lag)
        second.echoes += count
        outcome.messages += count
        self._ticked = max(now, self._ticked)
        self._elapse(now)
        return count

    def end(self, last: int) -> None:
        """
        End the measurement.

        :param last: time of the last echo or the planned end in ns, the later of the two.
        """
        self._elapse(last)
        if self._server:
            self._compare(self._used, self._server.use())
        self.measuring = False

    def _compare(self, before: Use, after: Use) -> None:
        outcome = self.outcome
        used = after.seconds - before.seconds
        outcome.server_cpu = used if used >= 0 else None  # negative if a process ended without being waited for
        outcome.server_memory = after.memory
        switches = after.voluntary - before.voluntary, after.involuntary - before.involuntary
        if after.ended == before.ended and min(switches) >= 0:  # the counts of an ended process or thread are gone
            outcome.server_switches = switches

    def _elapse(self, now: int) -> None:
        self.outcome.elapsed = (now - self._begun) / NS
        self.outcome.cpu = time.process_time() - self._cpu

    def _second(self, now: int) -> Second:
        if 0 <= now - self._end < LAST_SECOND_GRACE:
            now = self._end - 1
        return self.outcome.seconds.setdefault((now - self._begun) // NS, Second())

    def error(self, why: str, reason: str = "") -> None:
        """
        Count a failed connection.

        :param reason: details, safe to print.
        """
        self.outcome.errors[why] += 1
        if reason:
            self.outcome.reasons[f"{why}: {reason}"] += 1
        if self.measuring:
            self._second(self._ticked).errors += 1

    def finding(self, kind: str, words: str) -> None:
        """Count and describe harm or loss."""
        self.outcome.findings[kind] += 1
        self.tell(words)

    def tell(self, words: str) -> None:
        """Record the description of a finding, up to `MAX_DESCRIBED_FINDINGS`."""
        if len(self.outcome.first_findings) < MAX_DESCRIBED_FINDINGS:
            self.outcome.first_findings.append(words)
