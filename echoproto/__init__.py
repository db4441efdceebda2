"""
An echo service for Twisted that people can trust.

What is named here is the public interface for any Twisted program; it needs neither ``twistd`` nor the plugin::

    from twisted.internet import endpoints, reactor
    from echoproto import EchoFactory

    endpoints.serverFromString(reactor, "tcp:8888").listen(EchoFactory())
    reactor.run()
"""

from typing import TYPE_CHECKING

from echoproto.errors import ConfigurationError, EchoError, UnavailableError
from echoproto.protocol import GREETING, ConnectionObserver, Echo, EchoFactory

if TYPE_CHECKING:
    from echoproto.server.tls import EchoTLS

__version__ = "0.1.0"

__all__ = [
    "GREETING",
    "ConfigurationError",
    "ConnectionObserver",
    "Echo",
    "EchoError",
    "EchoFactory",
    "EchoTLS",
    "UnavailableError",
    "__version__",
]


def __getattr__(name: str) -> object:
    """``EchoTLS`` is imported when it is asked for: without the extra ``tls``, there is no pyOpenSSL to import."""
    if name == "EchoTLS":
        from echoproto.server.tls import EchoTLS

        return EchoTLS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
