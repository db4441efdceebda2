from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.analysis.comparability import MAY_DIFFER
from echoproto.host import environment as module
from echoproto.host.environment import environment
from echoproto.host.limits import Cores


class EnvironmentTests(SynchronousTestCase):
    def test_what_matters(self) -> None:
        found = environment(Cores(server=1, client=0))
        for name in ("date", "cpu", "cores", "kernel", "python", "twisted", "uvloop", "governor", "descriptors_hard"):
            self.assertTrue(found[name], name)
        self.assertEqual(found["pinned"], "servers to processor 1, generator to 0")
        self.assertEqual(environment(None)["pinned"], "no")

    def test_what_is_not_there(self) -> None:
        self.patch(module, "GOVERNOR", "/no/such/file")
        self.assertEqual(environment(None)["governor"], "unknown")
        self.assertEqual(module._version("no-such-package"), "not installed")

    def test_twice_on_one_machine(self) -> None:
        """What differs between two runs must not keep them from being compared."""
        one, two = environment(None), environment(None)
        different = {name for name in one if one[name] != two[name]}
        self.assertLessEqual(different, MAY_DIFFER)
        self.assertLessEqual(MAY_DIFFER, set(one))
