from typing import Any

from hypothesis import given
from hypothesis.strategies import integers
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.settings.table import Settings
from echoproto.server.workers.shares import count_of, share_of


class CountTests(SynchronousTestCase):
    def test_a_number(self) -> None:
        self.assertEqual(count_of(Settings(workers=3), 8), 3)

    def test_auto(self) -> None:
        self.assertEqual(count_of(Settings(workers="auto"), 8), 8)

    def test_one_by_default(self) -> None:
        self.assertEqual(count_of(Settings(), 8), 1)


class ShareTests(SynchronousTestCase):
    def shares(self, workers: int, **settings: Any) -> list[Settings]:
        return [share_of(Settings(**settings), number, workers) for number in range(workers)]

    def test_what_holds_for_all_together(self) -> None:
        for name in ("max_connections", "accept_rate", "udp_rate"):
            self.assertEqual([getattr(share, name) for share in self.shares(3, **{name: 11})], [4, 4, 3])

    @given(integers(1, 100), integers(1, 10_000))
    def test_shares_add_up(self, workers: int, whole: int) -> None:
        parts = [share.max_connections or 0 for share in self.shares(workers, max_connections=whole)]
        self.assertEqual(sum(parts), max(whole, workers))
        self.assertLessEqual(max(parts) - min(parts), 1)

    def test_fewer_than_workers(self) -> None:
        """To nobody would be for ever; of a rate, 0 would be no limit at all."""
        self.assertEqual([share.accept_rate for share in self.shares(3, accept_rate=2)], [1, 1, 1])

    def test_none_and_nothing_stay_so(self) -> None:
        for share in self.shares(3):
            self.assertEqual((share.max_connections, share.accept_rate, share.udp_rate), (None, 0, 0))
        self.assertEqual([share.max_connections for share in self.shares(2, max_connections=0)], [0, 0])

    def test_the_rest_is_the_same(self) -> None:
        settings = Settings(max_per_source=5, udp_source_rate=5, greeting="x", listen=("tcp:1", "unix:/x"))
        self.assertEqual(share_of(settings, 0, 4), settings)

    def test_sockets_of_systemd_are_taken_over_like_others(self) -> None:
        listen = ("systemd:domain=INET:index=0", "systemd:domain=INET6:name=x", "systemd:domain=UNIX:index=2")
        expected = ("tcp:0", "tcp6:0", "unix:systemd")
        self.assertEqual(share_of(Settings(listen=listen), 0, 2).listen, expected)
        listen = ("systemd:INET:0", "systemd:INET6:name=UNIX", "systemd:index=2:domain=UNIX")
        self.assertEqual(share_of(Settings(listen=listen), 0, 2).listen, expected)
