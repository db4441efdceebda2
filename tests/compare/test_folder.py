from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.folder import NAMES, PICTURES
from echoproto.compare.report.pictures.gallery import GALLERY


class NamesTests(SynchronousTestCase):
    def test_all_pictures(self) -> None:
        self.assertEqual(PICTURES, tuple(GALLERY))
        self.assertEqual(len(NAMES), 2 + 2 * len(PICTURES))
