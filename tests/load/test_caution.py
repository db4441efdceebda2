from attrs import evolve
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.load.caution import flood, is_loopback, refusal
from echoproto.load.workload import Target, Transport, Workload

LITTLE = Workload(target=Target(Transport.TCP, "h", 1), connections=10, rate=100.0)
FLOODS = (
    (evolve(LITTLE, rate=None), "without --rate"),
    (evolve(LITTLE, connections=101), "101 connections"),
    (evolve(LITTLE, idle=91), "101 connections"),
    (evolve(LITTLE, rate=1001.0), "1,001 messages a second"),
    (evolve(LITTLE, largest=1 << 20), "1MiB at that rate"),
)


class CautionTests(SynchronousTestCase):
    def test_loopback(self) -> None:
        for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(is_loopback(address), address)
        for address in ("10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "fe80::1%eth0", "128.0.0.1"):
            self.assertFalse(is_loopback(address), address)

    @given(strategies.ip_addresses().filter(lambda address: not address.is_loopback).map(str))
    def test_a_flood_to_anybody_else_is_refused(self, address: str) -> None:
        """L5: one address of many that a name stands for is enough."""
        for workload, why in FLOODS:
            text = refusal(workload, ["127.0.0.1", address])
            assert text is not None
            self.assertIn(why, text)
            self.assertIn("--i-own-this-host", text)
            self.assertEqual(len(text.splitlines()), 1)

    def test_a_search_is_a_flood(self) -> None:
        self.assertIn("--find-rate", refusal(LITTLE, ["10.0.0.1"], searching=True) or "")

    def test_little_is_not(self) -> None:
        """L5"""
        self.assertIsNone(flood(LITTLE))
        self.assertIsNone(refusal(LITTLE, ["10.0.0.1"]))

    def test_this_machine_may_be_flooded(self) -> None:
        """L5"""
        for workload, _ in FLOODS:
            self.assertIsNone(refusal(workload, ["127.0.0.1", "::1"]))
            self.assertIsNone(refusal(workload, []))
