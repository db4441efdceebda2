import os
import resource
from unittest import mock

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.limits.descriptors import descriptor_budget, set_descriptor_limit
from tests.support.logs import record_log


class SetDescriptorLimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.hard = before[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, self.hard))

    def soft(self) -> int:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def test_raised_to_the_hard_limit(self) -> None:
        limit = set_descriptor_limit("poll")
        self.assertEqual(limit, self.soft())
        self.assertNotEqual(limit, 256)

    def test_lowered_under_select(self) -> None:
        """C8: and said aloud."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, self.hard))
        events = record_log(self)
        self.assertEqual(set_descriptor_limit("select"), 1024)
        self.assertEqual(self.soft(), 1024)
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["select can watch 1024 descriptors; the descriptor limit is lowered to that"],
        )

    def test_left_alone_under_select_where_it_is_low(self) -> None:
        self.assertEqual(set_descriptor_limit("select"), 256)
        self.assertEqual(self.soft(), 256)

    def test_left_alone_where_the_system_refuses(self) -> None:
        with mock.patch.object(resource, "setrlimit", side_effect=ValueError("not allowed")):
            self.assertEqual(set_descriptor_limit("poll"), 256)

    def test_nothing_to_raise(self) -> None:
        set_descriptor_limit("poll")
        self.assertEqual(set_descriptor_limit("poll"), self.soft())


class DescriptorBudgetTests(SynchronousTestCase):
    def budget(self, soft: int) -> int:
        with mock.patch.object(resource, "getrlimit", return_value=(soft, soft)):
            return descriptor_budget()

    def test_what_is_left(self) -> None:
        """C3, C8: those that are open, and a few to spare, are not for connections."""
        before = self.budget(1000)
        self.assertTrue(0 < before < 1000 - 3)
        with open("/dev/null", "rb"), open("/dev/null", "rb"):
            self.assertEqual(self.budget(1000), before - 2)

    def test_nothing_is_left(self) -> None:
        self.assertEqual(self.budget(4), 0)

    def test_no_limit(self) -> None:
        self.assertGreater(self.budget(resource.RLIM_INFINITY), 10**6)

    def test_a_chroot_without_devices(self) -> None:
        with mock.patch.object(os, "listdir", side_effect=FileNotFoundError):
            self.assertEqual(self.budget(1000), 968)
