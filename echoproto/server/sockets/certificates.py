"""
Certificates of a TLS endpoint: their keys, their chains and their names.

A pool of PEM blocks, in any order and with any duplicates, becomes identities: each is a private key, its certificate,
and the certificates of authorities between that one and a root. A root is not sent, since a peer that trusts it has it
(RFC 8446, section 4.4.2). Nothing here knows of Twisted, or of the TLS library that is going to use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.pemfiles import PEMBlock

CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
"""Labels of blocks that hold a certificate."""

KEY_SUFFIX = "PRIVATE KEY"
"""End of the labels of blocks that hold a private key."""

DEFAULT_FILE = "DEFAULT.pem"
"""Name of the file with the identity for unknown names."""

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)
"""Exceptions of ``cryptography`` for unreadable input."""

T = TypeVar("T")


@frozen(eq=False)
class Certificate:
    """
    A certificate, and the file where it was found first.

    :ivar names: its DNS names and IP addresses, in lower case.
    :ivar key: its public key, in DER.
    :ivar authority: true if it may sign others, and is for no host.
    """

    file: str
    x509: x509.Certificate
    names: tuple[str, ...]
    key: bytes
    authority: bool

    @property
    def self_signed(self) -> bool:
        """Tell if it is its own issuer."""
        return self.x509.issuer == self.x509.subject

    def is_issued_by(self, issuer: Certificate) -> bool:
        """Tell if another certificate's key has signed it."""
        try:
            self.x509.verify_directly_issued_by(issuer.x509)
        except (*UNREADABLE, InvalidSignature):
            return False
        return True

    def when_not_valid(self, now: datetime) -> str:
        """Explain why it is not valid now; empty if it is."""
        if now > self.x509.not_valid_after_utc:
            return f"expired on {self.x509.not_valid_after_utc:%Y-%m-%d at %H:%M} UTC"
        if now < self.x509.not_valid_before_utc:
            return f"is not valid before {self.x509.not_valid_before_utc:%Y-%m-%d at %H:%M} UTC"
        return ""

    def __str__(self) -> str:
        return self.names[0] if self.names else self.x509.subject.rfc4514_string() or "without a name"


@frozen
class Identity:
    """
    A certificate that is served.

    :ivar private_key: of the certificate.
    :ivar chain: certificates sent with it: each followed by its issuers, without roots.
    """

    certificate: Certificate
    private_key: PrivateKeyTypes
    chain: tuple[Certificate, ...]


@frozen
class Pool:
    """
    Certificates and keys that were found together.

    :ivar where: file or folder, for messages.
    :ivar keys: file and private key, by the public key in DER.
    """

    where: str
    certificates: Sequence[Certificate]
    keys: Mapping[bytes, tuple[str, PrivateKeyTypes]]
    _by_subject: Mapping[x509.Name, list[Certificate]] = field(init=False)

    _known_issuers: dict[Certificate, list[Certificate]] = field(factory=dict, init=False)

    @_by_subject.default
    def _index(self) -> Mapping[x509.Name, list[Certificate]]:
        found: dict[x509.Name, list[Certificate]] = {}
        for each in self.certificates:
            found.setdefault(each.x509.subject, []).append(each)
        return found

    @classmethod
    def from_blocks(cls, where: str, blocks: Sequence[PEMBlock]) -> Pool:
        """
        Read certificates and keys; other blocks, such as parameters of keys, are ignored.

        :raise ConfigurationError: with the file of a block that can't be read.
        """
        certificates: dict[x509.Certificate, Certificate] = {}
        keys: dict[bytes, tuple[str, PrivateKeyTypes]] = {}
        once: dict[bytes, PEMBlock] = {}
        for block in blocks:
            once.setdefault(block.content, block)
        for block in once.values():
            if block.label in CERTIFICATES:
                found = _certificate(block)
                certificates.setdefault(found.x509, found)
            elif block.label.endswith(KEY_SUFFIX):
                key = _private_key(block)
                keys.setdefault(_in_der(key.public_key()), (block.file, key))
        return cls(where, list(certificates.values()), keys)

    def identities(self) -> list[Identity]:
        """
        Join keys and certificates.

        :return: at least one; the first is for unknown names.
        :raise ConfigurationError: with the file of a key or certificate that is left over.
        """
        public = {each.key for each in self.certificates}
        for key, (file, _) in self.keys.items():
            if key not in public:
                raise ConfigurationError(f"{file}: its private key belongs to no certificate in {self.where}")
        served = [each for each in self.certificates if each.key in self.keys]
        issuers = {issuer for each in served for issuer in self._issuers(each)}
        for each in self.certificates:
            if each.key not in self.keys and not (served and (each.authority or each in issuers)):
                raise ConfigurationError(f"{each.file}: there is no private key in {self.where} for {each}")
        if not served:
            raise ConfigurationError(f"{self.where}: holds neither a certificate nor a private key in PEM format")
        served.sort(key=lambda each: (each.file.rpartition("/")[2] != DEFAULT_FILE, each.authority))
        return [
            Identity(each, self.keys[each.key][1], tuple(one for one in self._issuers(each) if not one.self_signed))
            for each in served
        ]

    def _issuers(self, certificate: Certificate) -> list[Certificate]:
        """Return all issuers, nearest first; each once, though authorities may have signed each other."""
        found = [certificate]
        for issued in found:
            found += [each for each in self._direct_issuers(issued) if each not in found]
        return found[1:]

    def _direct_issuers(self, issued: Certificate) -> list[Certificate]:
        """Return the certificates that have signed one; most of a pool's time goes into this."""
        if issued not in self._known_issuers:
            candidates = [] if issued.self_signed else self._by_subject.get(issued.x509.issuer, [])
            self._known_issuers[issued] = [each for each in candidates if issued.is_issued_by(each)]
        return self._known_issuers[issued]

    def warnings(self, now: datetime) -> list[str]:
        """Return a warning line for each problem of a certificate that can still be served."""
        identities = self.identities()
        served = dict.fromkeys(each for identity in identities for each in (identity.certificate, *identity.chain))
        lines = [f"{each.file}: {each} {why}" for each in served if (why := each.when_not_valid(now))]
        used = {issuer for identity in identities for issuer in self._issuers(identity.certificate)}.union(served)
        return lines + [
            f"{each.file}: {each} is not used: it has no private key, and has issued none that has"
            for each in self.certificates
            if each not in used
        ]


@frozen
class ByName(Generic[T]):
    """
    Values by the name that a peer asks for (SNI, RFC 6066, section 3).

    :ivar default: for unknown names, and without a name.
    """

    default: T
    _by_name: Mapping[str, T] = field(factory=dict)

    def choose(self, name: bytes | None) -> T:
        """
        Choose by a name.

        :param name: any bytes from a peer; ``None`` for no name.
        """
        if not name:
            return self.default
        text = name.decode("ascii", "replace").lower().removesuffix(".")
        found = self._by_name.get(text)
        return found if found is not None else self._by_name.get(f"*.{text.partition('.')[2]}", self.default)


def by_name(identities: Sequence[tuple[Identity, T]], now: datetime) -> ByName[T]:
    """
    Map names to values; of two identities for one name, the valid one counts, or the one that was renewed last.

    :param identities: each with its value; the first is the default.
    """
    found: dict[str, T] = {}

    def rank(pair: tuple[Identity, T]) -> tuple[bool, datetime]:
        certificate = pair[0].certificate
        return not certificate.when_not_valid(now), certificate.x509.not_valid_before_utc

    for identity, chosen in sorted(identities, key=rank):
        found |= dict.fromkeys(identity.certificate.names, chosen)
    return ByName(identities[0][1], found)


def _in_der(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificate(block: PEMBlock) -> Certificate:
    try:
        found = x509.load_pem_x509_certificate(block.content)
        return Certificate(block.file, found, _names(found), _in_der(found.public_key()), _is_authority(found))
    except UNREADABLE as problem:
        raise ConfigurationError(f"{block.file}: holds a certificate that can't be read") from problem


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the alternative names (RFC 9525); without those, the common name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value).lower() for each in found)
    dns, addresses = names.get_values_for_type(x509.DNSName), names.get_values_for_type(x509.IPAddress)
    return tuple(name.lower() for name in (*dns, *map(str, addresses)))


def _is_authority(certificate: x509.Certificate) -> bool:
    extensions = {each.oid: each.value for each in certificate.extensions}
    constraints = extensions.get(x509.BasicConstraints.oid)
    return (
        isinstance(constraints, x509.BasicConstraints)
        and constraints.ca
        and x509.SubjectAlternativeName.oid not in extensions
    )


def _private_key(block: PEMBlock) -> PrivateKeyTypes:
    if block.label.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in block.content:
        raise ConfigurationError(
            f"{block.file}: its private key is encrypted, which is not supported; "
            "store it decrypted, as 'openssl pkey -in ENCRYPTED.pem' prints it"
        )
    try:
        return load_pem_private_key(block.content, None)
    except UNREADABLE as problem:
        raise ConfigurationError(f"{block.file}: holds a private key that can't be read") from problem
