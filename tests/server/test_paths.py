import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.paths import absolute


class AbsoluteTests(SynchronousTestCase):
    def test_from_the_current_folder(self) -> None:
        self.assertEqual(absolute("a/../b"), os.path.join(os.getcwd(), "b"))
        self.assertEqual(absolute("/a"), "/a")

    def test_folder_that_is_gone(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.chdir(folder)
            os.rmdir(folder)
            self.assertEqual((absolute("a"), absolute("/a")), ("a", "/a"))
