"""
Credentials of a TLS endpoint: OpenSSL's contexts made of PEM files, the choice among them, and their renewal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from OpenSSL import SSL, crypto
from OpenSSL.SSL import Connection, Context, Error
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions, DiffieHellmanParameters
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.filepath import FilePath
from zope.interface import implementer

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.certificates import ByName, Identity, Pool, by_name
from echoproto.server.sockets.pemfiles import PEMBlock, PEMSource
from echoproto.server.sockets.tlserrors import reason_of

METHODS = ("TLS_METHOD", "SSLv23_METHOD", "TLS_SERVER_METHOD", "TLSv1_2_METHOD", "TLSv1_1_METHOD", "TLSv1_METHOD")
"""Names that ``sslmethod`` may have."""


@implementer(IOpenSSLServerConnectionCreator)
class Credentials:
    """
    Certificates and keys of one endpoint.

    :param source: the PEM files.
    :param blocks: in place of the present content of the files.
    :param method: name of one of OpenSSL's methods, or empty for TLS 1.2 and 1.3.
    :param dh_parameters: name of a file with parameters for the key exchange, or empty.
    :raise ConfigurationError: if the certificates and keys can't be used.
    :ivar blocks: the blocks of certificates and keys in use.
    """

    def __init__(
        self, source: PEMSource, blocks: Sequence[PEMBlock] | None = None, *, method: str = "", dh_parameters: str = ""
    ) -> None:
        self._source = source
        self._options: dict[str, Any] = {}
        if method:
            if method not in METHODS:
                raise ConfigurationError(f"sslmethod {method!r} is not {' or '.join(METHODS)}")
            self._options["method"] = getattr(SSL, method)
        self._dh_name = dh_parameters
        if dh_parameters:
            try:
                self._dh_file = FilePath(dh_parameters)
            except FileNotFoundError as problem:  # the current folder is gone
                raise ConfigurationError(f"{dh_parameters}: {problem.strerror}") from problem
            self._options["dhParameters"] = DiffieHellmanParameters(self._dh_file)
        self.use(source.read() if blocks is None else blocks)

    def renew(self) -> None:
        """
        Read the files anew, for future connections.

        :raise ConfigurationError: if they can't be used; then the previous ones stay.
        """
        self.use(self._source.read())

    def use(self, blocks: Sequence[PEMBlock]) -> None:
        """
        Use other certificates and keys for future connections; see `renew`.

        :param blocks: content of the files; at least one.
        """
        self._check_parameters()
        pool = Pool.from_blocks(str(self._source), blocks)
        pairs = [(identity, self._make_context(identity)) for identity in pool.identities()]
        contexts = by_name(pairs, datetime.now(UTC))
        for _, context in pairs:
            context.set_tlsext_servername_callback(_chooser(contexts))
            context.set_alpn_select_callback(_no_protocol)
        self._pool, self._contexts, self.blocks = pool, contexts, blocks

    def warnings(self) -> list[str]:
        """Return a warning line for each problem, such as an expired certificate."""
        return self._pool.warnings(datetime.now(UTC))

    def _check_parameters(self) -> None:
        """Check the file of parameters, which Twisted reads anew with each context."""
        if not self._dh_name:
            return
        try:
            with self._dh_file.open():
                Context(SSL.TLS_METHOD).load_tmp_dh(self._dh_file.path)
        except OSError as problem:
            raise ConfigurationError(f"{self._dh_name}: {problem.strerror}") from problem
        except Error as problem:
            raise ConfigurationError(f"{self._dh_name}: holds no Diffie-Hellman parameters in PEM format") from problem

    def _make_context(self, identity: Identity) -> Context:
        try:
            return CertificateOptions(
                privateKey=crypto.PKey.from_cryptography_key(identity.private_key),  # type: ignore[arg-type]
                certificate=crypto.X509.from_cryptography(identity.certificate.x509),
                extraCertChain=[crypto.X509.from_cryptography(each.x509) for each in identity.chain],
                **self._options,
            ).getContext()
        except (Error, crypto.Error, TypeError) as problem:
            reason = reason_of(problem) if isinstance(problem, Error) else str(problem)
            certificate = identity.certificate
            raise ConfigurationError(f"{certificate.file}: OpenSSL does not take {certificate}: {reason}") from problem

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> Connection:
        """Make OpenSSL's side of a connection."""
        return Connection(self._contexts.default)


def _chooser(contexts: ByName[Context]) -> Any:
    def choose(connection: Connection) -> None:
        connection.set_context(contexts.choose(connection.get_servername()))

    return choose


def _no_protocol(connection: Connection, offered: Sequence[bytes]) -> Any:
    """Accept a peer that offers protocols (RFC 7301), none of them an echo; Twisted would end the handshake."""
    return SSL.NO_OVERLAPPING_PROTOCOLS
