import resource
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.descriptors import raise_descriptor_limit


class RaiseDescriptorLimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.hard = before[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, self.hard))

    def soft(self) -> int:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    def test_raised_to_the_hard_limit(self) -> None:
        limit = raise_descriptor_limit("poll")
        self.assertEqual(limit, self.soft())
        self.assertNotEqual(limit, 256)

    def test_left_alone_under_select(self) -> None:
        self.assertEqual(raise_descriptor_limit("select"), 256)
        self.assertEqual(self.soft(), 256)

    def test_left_alone_where_the_system_refuses(self) -> None:
        with mock.patch.object(resource, "setrlimit", side_effect=ValueError("not allowed")):
            self.assertEqual(raise_descriptor_limit("poll"), 256)

    def test_nothing_to_raise(self) -> None:
        raise_descriptor_limit("poll")
        self.assertEqual(raise_descriptor_limit("poll"), self.soft())
