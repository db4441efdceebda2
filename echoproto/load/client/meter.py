"""
What is counted while a load runs, and how it comes into the outcome.
"""

from __future__ import annotations

import time

from echoproto.host.usage import Server, Use
from echoproto.load.histogram import Histogram, Times
from echoproto.load.outcome import MAX_DESCRIBED_FINDINGS, Outcome, Second
from echoproto.units import NS

TAIL = NS // 2
"""ns after the end in which what comes back is counted as of the last second."""


class Meter:
    """
    Counts.

    :ivar outcome: what was found out, as of the last `tick`.
    :ivar measuring: whether times and messages count now; the rest always does.
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

    def look(self) -> None:
        """See what the server has used before measuring begins, which takes a while if it has many processes."""
        if self._server:
            self._used = self._server.use(memory=False)

    def begin(self, now: int, end: int, *, anew: bool) -> None:
        """
        Measuring begins; times before this do not count.

        :param end: when it is planned to end, in ns.
        :param anew: whether connections are made while it lasts, so that those before do not count, either.
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
        Bring the outcome up to date, but for its bytes; at the latest at the end of each second.

        :param now: in ns.
        :return: how many messages came back since the last one.
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
        over = self._ticked >= self._end + TAIL
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
        Measuring is over.

        :param last: when the last message came back, or when it was planned to end, whichever is later, in ns.
        """
        self._elapse(last)
        if self._server:
            self._compare(self._used, self._server.use())
        self.measuring = False

    def _compare(self, before: Use, after: Use) -> None:
        outcome = self.outcome
        used = after.seconds - before.seconds
        outcome.server_cpu = used if used >= 0 else None  # less, if processes have ended that nobody has waited for
        outcome.server_memory = after.memory
        switches = after.voluntary - before.voluntary, after.involuntary - before.involuntary
        if after.ended == before.ended and min(switches) >= 0:  # those of a process or thread go with it
            outcome.server_switches = switches

    def _elapse(self, now: int) -> None:
        self.outcome.elapsed = (now - self._begun) / NS
        self.outcome.cpu = time.process_time() - self._cpu

    def _second(self, now: int) -> Second:
        if 0 <= now - self._end < TAIL:
            now = self._end - 1
        return self.outcome.seconds.setdefault((now - self._begun) // NS, Second())

    def error(self, why: str, reason: str = "") -> None:
        """
        A connection failed.

        :param reason: more on that, safe to print, if it is known.
        """
        self.outcome.errors[why] += 1
        if reason:
            self.outcome.reasons[f"{why}: {reason}"] += 1
        if self.measuring:
            self._second(self._ticked).errors += 1

    def finding(self, kind: str, words: str) -> None:
        """Something was harmed or lost."""
        self.outcome.findings[kind] += 1
        self.tell(words)

    def tell(self, words: str) -> None:
        """Put into words what was found, if there are not too many already."""
        if len(self.outcome.first_findings) < MAX_DESCRIBED_FINDINGS:
            self.outcome.first_findings.append(words)
