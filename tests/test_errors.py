from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import (
    ConfigurationError,
    EchoError,
    OutputError,
    UnavailableError,
    nearest,
    not_installed,
    one_line,
    quoted,
)


class ErrorsTests(SynchronousTestCase):
    def test_exit_statuses_tell_whose_fault_it_is(self) -> None:
        self.assertEqual(ConfigurationError.exit_status, 2)
        self.assertEqual(UnavailableError.exit_status, 1)
        self.assertEqual(OutputError.exit_status, 2)
        self.assertTrue(issubclass(ConfigurationError, EchoError))
        self.assertTrue(issubclass(UnavailableError, EchoError))


class OneLineTests(SynchronousTestCase):
    def test_printable_text_is_left_alone(self) -> None:
        self.assertEqual(one_line("port 8888: Zażółć 포트 ✓"), "port 8888: Zażółć 포트 ✓")

    def test_line_ends_and_control_characters_are_escaped(self) -> None:
        """E3: what a peer or a file holds can't begin a line of its own, nor steer the terminal."""
        self.assertEqual(one_line("a\nb\r\x1b[31m\u2028\x00"), r"a\nb\r\x1b[31m\u2028\x00")

    def test_bytes_that_are_not_utf_8(self) -> None:
        """Of an argument, they are shown as what was given; other lone surrogates as what they are."""
        self.assertEqual(one_line("a\udc80\udcff\ud800"), r"a\x80\xff\ud800")


class QuotedTests(SynchronousTestCase):
    def test_as_it_was_typed(self) -> None:
        """A backslash is one backslash, a byte that is not UTF-8 is that byte."""
        self.assertEqual(quoted("tcp6:0:interface=\\:\\:1\n\udcff"), r"'tcp6:0:interface=\:\:1\n\xff'")

    def test_long(self) -> None:
        self.assertEqual(quoted("x" * 200), f"'{'x' * 200}'")
        self.assertEqual(quoted("x" * 201), f"'{'x' * 200}…'")


class NotInstalledTests(SynchronousTestCase):
    def test_says_how_to_get_it(self) -> None:
        self.assertEqual(
            not_installed("uvloop", "uvloop"),
            "uvloop is not installed: pip install 'echoproto[uvloop]' (this needs the extra 'uvloop')",
        )


class NearestTests(SynchronousTestCase):
    def test_near(self) -> None:
        self.assertEqual(nearest("prot", ["port", "listen"]), " (did you mean 'port'?)")

    def test_a_word_of_it(self) -> None:
        """Its other words may make it longer, and so less similar than a wrong name."""
        known = ["echo-poll", "echo-epoll", "echo-epoll-buffered", "Lean-Kqueue"]
        for name, found in (("epoll", "echo-epoll"), ("buffered", "echo-epoll-buffered"), ("lean", "Lean-Kqueue")):
            self.assertEqual(nearest(name, known), f" (did you mean {found!r}?)")

    def test_capital_letters(self) -> None:
        self.assertEqual(nearest("PORT", ["Port", "listen"]), " (did you mean 'Port'?)")

    def test_far(self) -> None:
        self.assertEqual(nearest("zzz", iter(["port", "listen"])), "")
