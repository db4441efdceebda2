from typing import Any

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.settings.values import (
    Address,
    Choice,
    Endpoints,
    Mode,
    NumberOrAuto,
    Owner,
    Switch,
    Text,
    WholeNumber,
)


class KindCase:
    """What is allowed, and what is not, from either source."""

    kind: Any
    good_text: dict[str, object]
    bad_text: list[str]
    good_toml: list[object]
    bad_toml: list[object]

    def test_text(self: Any) -> None:
        for text, value in self.good_text.items():
            self.assertEqual(self.kind.from_text(text), value)
        for text in self.bad_text:
            self.assertRaises(ValueError, self.kind.from_text, text)

    def test_toml(self: Any) -> None:
        for value in self.good_toml:
            expected = tuple(value) if isinstance(value, list) else value
            self.assertEqual(self.kind.from_toml(value), expected)
        for value in self.bad_toml:
            self.assertRaises(ValueError, self.kind.from_toml, value)

    def test_says_what_is_allowed(self: Any) -> None:
        self.assertRegex(self.kind.allowed, "^[a-z]")


class WholeNumberTests(KindCase, SynchronousTestCase):
    kind = WholeNumber(0, 65535)
    good_text = {"0": 0, "8888": 8888, "65535": 65535}
    bad_text = ["", "-1", "65536", "+1", "01", " 1", "1 ", "1_0", "1.0", "0x1", "८", "abc", "9" * 5000]
    good_toml = [0, 65535]
    bad_toml = [-1, 65536, True, "1", 1.0, None, []]

    @given(strategies.integers())
    def test_both_sources_agree(self, number: int) -> None:
        def reads(read: Any, value: object) -> bool:
            try:
                return bool(read(value) == number)
            except ValueError:
                return False

        self.assertEqual(reads(self.kind.from_text, str(number)), reads(self.kind.from_toml, number))
        self.assertEqual(reads(self.kind.from_toml, number), 0 <= number <= 65535)


class NumberOrAutoTests(KindCase, SynchronousTestCase):
    kind = NumberOrAuto(1, 8)
    good_text = {"1": 1, "8": 8, "auto": "auto"}
    bad_text = ["", "0", "9", "Auto", "auto "]
    good_toml = [1, 8, "auto"]
    bad_toml = [0, 9, "1", True, None, []]


class TextTests(KindCase, SynchronousTestCase):
    kind = Text(5)
    good_text = {"": "", "Hi\n": "Hi\n", "안녕하세요": "안녕하세요"}
    bad_text = ["123456"]
    good_toml = ["", "12345"]
    bad_toml = ["123456", 1, b"x", None]


class ChoiceTests(KindCase, SynchronousTestCase):
    kind = Choice(("text", "json"))
    good_text = {"text": "text", "json": "json"}
    bad_text = ["", "JSON", "xml"]
    good_toml = ["text"]
    bad_toml = ["xml", True, 1]


class SwitchTests(KindCase, SynchronousTestCase):
    kind = Switch()
    good_text = {"on": True, "true": True, "off": False, "false": False}
    bad_text = ["", "1", "maybe"]
    good_toml = [True, False]
    bad_toml = ["on", 1, 0]


class AddressTests(KindCase, SynchronousTestCase):
    kind = Address()
    good_text = {"": "", "127.0.0.1": "127.0.0.1", "::": "::", "fe80::1%lo": "fe80::1%lo"}
    bad_text = ["localhost", "127.0.0.1:80", "256.1.1.1", "127.1", "*"]
    good_toml = ["::1"]
    bad_toml = ["localhost", 1]


class ModeTests(KindCase, SynchronousTestCase):
    kind = Mode()
    good_text = {"660": "660", "0660": "660", "000": "000", "777": "777"}
    bad_text = ["", "66", "6600", "00660", "668", "0o660", "-60", " 660", "660\n", "u=rw", "٦٦٠"]
    good_toml = ["660"]
    bad_toml = [0o660, 660, True, ["660"], None]


class OwnerTests(KindCase, SynchronousTestCase):
    kind = Owner()
    good_text = {text: text for text in ("", "root", "root:adm", ":adm", "0", "0:0", "www-data:4")}
    bad_text = [":", "root:", "root:adm:", "a b", "root\n", "a:b:c"]
    good_toml = ["root"]
    bad_toml = [0, True, ["root"], None]


class EndpointsTests(KindCase, SynchronousTestCase):
    kind = Endpoints()
    good_text = {"tcp:1": ("tcp:1",), "unix:/x:mode=660": ("unix:/x:mode=660",)}
    bad_text = ["", "8888", "tcp", ":tcp", "stdio:", "haproxy:tcp:8888", "TCP:1"]
    good_toml = [[], ["tcp:1", "tls:/etc/pems:443"]]
    bad_toml = ["tcp:1", ["tcp:1", 1], ["nope:1"], 1]
