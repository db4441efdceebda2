"""The public interface, pinned: a name that goes or comes is a decision, not an accident."""

from twisted.trial.unittest import SynchronousTestCase

import echoproto
from echoproto import protocol
from echoproto.server.sockets import tls


class ExportsTests(SynchronousTestCase):
    def test_public_names(self) -> None:
        self.assertEqual(
            echoproto.__all__,
            [
                "GREETING",
                "ConfigurationError",
                "ConnectionObserver",
                "Echo",
                "EchoError",
                "EchoFactory",
                "EchoTLS",
                "UnavailableError",
                "__version__",
            ],
        )
        for name in echoproto.__all__:
            self.assertTrue(hasattr(echoproto, name), name)

    def test_they_are_the_real_ones(self) -> None:
        self.assertIs(echoproto.Echo, protocol.Echo)
        self.assertIs(echoproto.EchoFactory, protocol.EchoFactory)
        self.assertIs(echoproto.EchoFactory.protocol, echoproto.Echo)
        self.assertIs(echoproto.EchoTLS, tls.EchoTLS)

    def test_no_others(self) -> None:
        self.assertRaises(AttributeError, getattr, echoproto, "NoSuchName")

    def test_all_of_it_is_documented(self) -> None:
        for name in echoproto.__all__:
            value = getattr(echoproto, name)
            if isinstance(value, type):
                self.assertTrue(value.__doc__, name)
                for member, method in vars(value).items():
                    if callable(method) and not member.startswith("_"):
                        self.assertTrue(method.__doc__, f"{name}.{member}")
