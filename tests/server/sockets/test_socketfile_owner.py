import grp
import os
import pwd

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.socketfile import MAX_ID, owner_ids


class OwnerTests(SynchronousTestCase):
    def test_nobody_in_particular(self) -> None:
        self.assertIsNone(owner_ids(""))

    def test_names(self) -> None:
        user = pwd.getpwuid(os.getuid())
        group = grp.getgrgid(os.getgid())
        self.assertEqual(owner_ids(user.pw_name), (user.pw_uid, -1))
        self.assertEqual(owner_ids(f"{user.pw_name}:{group.gr_name}"), (user.pw_uid, group.gr_gid))
        self.assertEqual(owner_ids(f":{group.gr_name}"), (-1, group.gr_gid))

    def test_numbers_need_not_be_known(self) -> None:
        self.assertEqual(owner_ids("0:4000000001"), (0, 4000000001))
        self.assertEqual(owner_ids(f"{MAX_ID}"), (MAX_ID, -1))

    def test_a_number_that_would_mean_nobody(self) -> None:
        """Chown takes it for -1, and would change nothing, without a word."""
        error = self.assertRaises(ConfigurationError, owner_ids, f":{MAX_ID + 1}")
        self.assertEqual(str(error), f"{MAX_ID + 1} is no group: the largest number of one is {MAX_ID}")

    def test_unknown(self) -> None:
        for owner, expected in (
            ("no-such-user", "this system has no user 'no-such-user'"),
            ("0:no-such-group", "this system has no group 'no-such-group'"),
            ("٣", "this system has no user '٣'"),
            ("-1", "this system has no user '-1'"),
            ("\udcff", r"this system has no user '\xff'"),
        ):
            self.assertEqual(str(self.assertRaises(ConfigurationError, owner_ids, owner)), expected)
