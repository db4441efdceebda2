import resource
from unittest import mock

from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.descriptors import set_descriptor_limit
from tests.logs import record_log


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
            ["select watches no more than 1024 descriptors, so no more are opened"],
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
