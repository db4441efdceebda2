import datetime
from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.certificates import Identity, Pool, by_name
from echoproto.server.sockets.pemfiles import BLOCK, PEMBlock
from tests.support.certificates import Issued, issue

ROOT = issue("Root", authority=True)
OTHER_ROOT = issue("Other Root", authority=True)
MIDDLE = issue("Middle", issuer=ROOT, authority=True)
CROSS = issue("Middle", issuer=OTHER_ROOT, authority=True, key=MIDDLE.key)
LEAF = issue("leaf", "Leaf.Example", "*.leaf.example", issuer=MIDDLE)
ALONE = issue("alone", "alone.example")


def blocks(**files: bytes) -> list[PEMBlock]:
    return [PEMBlock(name, found[1].decode(), found[0]) for name, pem in files.items() for found in BLOCK.finditer(pem)]


def pool(**files: bytes) -> Pool:
    return Pool.from_blocks("the folder", blocks(**files))


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class PoolTests(SynchronousTestCase):
    def chain(self, *parts: bytes) -> list[Issued]:
        [identity] = pool(leaf=b"".join(parts)).identities()
        self.assertEqual(identity.certificate.x509, LEAF.certificate)
        self.assertEqual(identity.private_key.public_key(), LEAF.key.public_key())
        known = {each.certificate: each for each in (ROOT, OTHER_ROOT, MIDDLE, CROSS)}
        return [known[each.x509] for each in identity.chain]

    def test_chains(self) -> None:
        """S10: in any order, with a root, with duplicates; roots are not sent."""
        for order in (
            (LEAF.pem, LEAF.key_pem, MIDDLE.pem, ROOT.pem),
            (ROOT.pem, MIDDLE.pem, LEAF.key_pem, LEAF.pem),
            (LEAF.key_pem, LEAF.pem, LEAF.pem, MIDDLE.pem, MIDDLE.pem, ROOT.pem, ROOT.pem, LEAF.key_pem),
        ):
            self.assertEqual(self.chain(*order), [MIDDLE])
        self.assertEqual(self.chain(LEAF.both, ROOT.pem), [])

    def test_a_root_that_signs_the_leaf(self) -> None:
        """A root is its own issuer: who follows issuers has to stop there."""
        leaf = issue("leaf", "leaf.example", issuer=ROOT)
        [identity] = pool(leaf=leaf.both + ROOT.pem).identities()
        self.assertEqual(identity.chain, ())

    def test_cross_signed(self) -> None:
        """Both are sent: which of them a peer trusts is not known; two that signed each other are no loop."""
        self.assertEqual(self.chain(LEAF.both, CROSS.pem, MIDDLE.pem, ROOT.pem, OTHER_ROOT.pem), [CROSS, MIDDLE])
        first = issue("First", issuer=OTHER_ROOT, authority=True)
        second = issue("Second", issuer=first, authority=True)
        again = issue("First", issuer=second, authority=True, key=first.key)
        leaf = issue("leaf", "leaf.example", issuer=second)
        [identity] = pool(leaf=leaf.both + again.pem + second.pem + first.pem).identities()
        self.assertEqual([each.x509 for each in identity.chain], [each.certificate for each in (second, again, first)])

    def test_an_issuer_that_has_the_name_only(self) -> None:
        self.assertEqual(self.chain(LEAF.both, issue("Middle", authority=True).pem, MIDDLE.pem), [MIDDLE])

    def test_one_that_is_no_authority_by_itself(self) -> None:
        """Old roots, and those of tests, do not say that they may sign."""
        root = issue("Old")
        leaf = issue("leaf", "leaf.example", issuer=root)
        self.assertEqual(len(pool(leaf=leaf.both, root=root.pem).identities()), 1)

    def test_keys_and_certificates_in_files_of_their_own(self) -> None:
        """As certbot has them."""
        files = {"cert": LEAF.pem, "chain": MIDDLE.pem, "fullchain": LEAF.pem + MIDDLE.pem, "privkey": LEAF.key_pem}
        [identity] = pool(**files).identities()
        self.assertEqual([each.x509 for each in identity.chain], [MIDDLE.certificate])

    def complaint(self, **files: bytes) -> str:
        return str(self.assertRaises(ConfigurationError, lambda: pool(**files).identities()))

    def test_without_a_key(self) -> None:
        """S10: the line names the file."""
        self.assertEqual(
            self.complaint(a=ALONE.both, b=LEAF.pem), "b: there is no private key in the folder for leaf.example"
        )
        self.assertEqual(self.complaint(a=ROOT.pem), "a: there is no private key in the folder for root")
        signed = issue("self", "self.example", authority=True)
        self.assertIn("b: there is no private key", self.complaint(a=ALONE.both, b=signed.pem))

    def test_a_key_that_does_not_match(self) -> None:
        """S10."""
        self.assertEqual(
            self.complaint(a=LEAF.pem + ALONE.key_pem), "a: its private key belongs to no certificate in the folder"
        )
        self.assertIn("b: its private key", self.complaint(a=LEAF.both, b=ALONE.key_pem))

    def test_an_encrypted_key(self) -> None:
        """S10: the service does not ask for a passphrase."""
        secret = serialization.BestAvailableEncryption(b"secret")
        for kind in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
            key = LEAF.key.private_bytes(serialization.Encoding.PEM, kind, secret)
            self.assertIn("a: its private key is encrypted, which is not supported", self.complaint(a=LEAF.pem + key))

    def test_blocks_that_hold_something_else(self) -> None:
        def block(label: str) -> bytes:
            return f"-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n".encode()

        self.assertEqual(self.complaint(a=block("CERTIFICATE")), "a: holds a certificate that can't be read")
        self.assertEqual(self.complaint(a=block("RSA PRIVATE KEY")), "a: holds a private key that can't be read")
        self.assertIn("holds neither", self.complaint(a=block("CERTIFICATE REQUEST")))
        self.assertEqual(len(pool(a=block("EC PARAMETERS") + LEAF.both).identities()), 1)

    def test_warnings(self) -> None:
        expired = issue("old", "old.example", days=(-9, -1))
        middle = issue("Middle", issuer=ROOT, authority=True, days=(1, 9))
        early = issue("early", "early.example", issuer=middle)
        found = pool(a=expired.both, b=early.both + middle.pem, c=OTHER_ROOT.pem, d=LEAF.both).warnings(now())
        self.assertRegex(found[0], r"^a: old\.example expired on \d{4}-\d\d-\d\d at \d\d:\d\d UTC$")
        self.assertRegex(found[1], r"^b: middle is not valid before \d{4}-\d\d-\d\d at \d\d:\d\d UTC$")
        unused = "is not used: it has no private key, and has issued none that has"
        self.assertEqual(found[2:], [f"c: other root {unused}"])
        self.assertEqual(pool(d=LEAF.both + MIDDLE.pem + ROOT.pem).warnings(now()), [])


def choice(identities: Sequence[Identity]) -> dict[bytes | None, str]:
    names = (None, b"", b"leaf.example", b"LEAF.example.", b"x.leaf.example", b"y.x.leaf.example", b"alone.example")
    choose = by_name([(each, each.certificate.file) for each in identities], now()).choose
    return {name: choose(name) for name in names}


class ByNameTests(SynchronousTestCase):
    def test_names(self) -> None:
        chosen = choice(pool(a=ALONE.both, b=LEAF.both).identities())
        leaf = [b"leaf.example", b"LEAF.example.", b"x.leaf.example"]
        self.assertEqual([name for name, file in chosen.items() if file == "b"], leaf)

    def test_the_default(self) -> None:
        """The first by its file's name, unless one is called DEFAULT.pem; never an authority's, if there is another."""
        self.assertEqual(choice(pool(b=ALONE.both, c=LEAF.both).identities())[None], "b")
        self.assertEqual(
            choice(pool(**{"b": ALONE.both, "x/DEFAULT.pem": LEAF.both}).identities())[None], "x/DEFAULT.pem"
        )
        self.assertEqual(choice(pool(a=ROOT.both, b=LEAF.both).identities())[None], "b")
        self.assertEqual(choice(pool(a=ROOT.both).identities())[None], "a")

    def test_whatever_a_peer_sends(self) -> None:
        chosen = by_name(
            [(each, each.certificate.file) for each in pool(a=ALONE.both, b=LEAF.both).identities()], now()
        )
        names = (b"\xff\xfe", b"\0", b"leaf.example\0", b"x" * 70000, b"../x", b".", b"..", b".leaf.example.x", b"*")
        for name in (*names, "ü.example".encode(), b"xn--tda.example", b"127.0.0.1", b"::1"):
            self.assertEqual(chosen.choose(name), "a", name)

    def test_two_for_one_name(self) -> None:
        """The one that is valid; of two such, the one that was made last."""
        old, new = issue("x", "x.example", days=(-5, 5)), issue("x", "x.example", days=(-1, 5))
        expired = issue("x", "x.example", days=(-1, -1))
        for files in ({"a": old, "b": new, "c": expired}, {"a": expired, "b": new, "c": old}):
            identities = pool(**{name: each.both for name, each in files.items()}).identities()
            self.assertEqual(
                by_name([(each, each.certificate.file) for each in identities], now()).choose(b"x.example"), "b"
            )

    def test_a_common_name_and_an_address(self) -> None:
        identities = pool(a=LEAF.both, b=issue("Plain.Example").both).identities()
        chosen = by_name([(each, each.certificate.file) for each in identities], now())
        self.assertEqual(chosen.choose(b"plain.example"), "b")
