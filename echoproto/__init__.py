"""
An echo service for Twisted that people can trust.

What is named here is the public interface for any Twisted program; it needs neither ``twistd`` nor the plugin::

    from twisted.internet import endpoints, reactor
    from echoproto import EchoFactory

    endpoints.serverFromString(reactor, "tcp:8888").listen(EchoFactory())
    reactor.run()
"""

from echoproto.errors import ConfigurationError, EchoError, UnavailableError
from echoproto.protocol import GREETING, ConnectionObserver, Echo, EchoFactory

__version__ = "0.1.0"

__all__ = [
    "GREETING",
    "ConfigurationError",
    "ConnectionObserver",
    "Echo",
    "EchoError",
    "EchoFactory",
    "UnavailableError",
    "__version__",
]
