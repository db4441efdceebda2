import json
import os

from hypothesis import given as hypothesis_given
from hypothesis import strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError, one_line
from echoproto.server.settings.table import join, table
from echoproto.server.settings.tomlfile import MAXIMUM_SIZE, read_file


class ReadFileTests(SynchronousTestCase):
    def file(self, content: bytes | str) -> str:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    def complaint(self, path: str) -> str:
        error: Exception = self.assertRaises(ConfigurationError, read_file, path)
        self.assertTrue(str(error).startswith(path), str(error))
        return str(error).removeprefix(path)

    def refused(self, content: bytes | str) -> str:
        return self.complaint(self.file(content))

    def test_settings_with_their_origins(self) -> None:
        path = self.file(
            '# ours\nport = 7\n\n"greeting" = """\nHi\n"""\nlisten = [\n "tcp:1",\n]\nlog-connections=false'
        )
        given = read_file(path)
        self.assertEqual(
            {name: (entry.value, entry.origin) for name, entry in given.items()},
            {
                "port": (7, f"{path}:2: port"),
                "greeting": ("Hi\n", f"{path}:4: greeting"),
                "listen": (("tcp:1",), f"{path}:7: listen"),
                "log-connections": (False, f"{path}:10: log-connections"),
            },
        )

    def test_only_comments_are_no_settings(self) -> None:
        self.assertEqual(read_file(self.file("# port = 1\n")), {})

    def test_byte_order_mark(self) -> None:
        self.assertEqual(read_file(self.file(b"\xef\xbb\xbfport = 7"))["port"].value, 7)

    def test_windows_line_ends(self) -> None:
        self.assertIn(":2: prot:", self.refused("port = 1\r\nprot = 2\r\n"))

    def test_unknown_key(self) -> None:
        """O4: file, line, key, the nearest known key, and which are known."""
        complaint = self.refused("port = 1\n\nprot = 2\n")
        self.assertTrue(complaint.startswith(":3: prot: unknown key (did you mean 'port'?); known: port, "), complaint)

    def test_unknown_table(self) -> None:
        self.assertTrue(self.refused("[limits]\nport = 1").startswith(":1: limits: unknown key; known: "))
        self.assertTrue(self.refused("port = 1\n [[ limits ]]\n").startswith(":2: limits: unknown key"))
        self.assertTrue(self.refused("\nlimits.port = 1").startswith(":2: limits: unknown key"))

    def test_the_line_of_a_key_is_not_one_in_a_string(self) -> None:
        complaint = self.refused('greeting = """\nport = 1\n"""\nport = true\n')
        self.assertTrue(complaint.startswith(":4: port: true: must be a whole number from 0 to 65535"), complaint)

    def test_the_line_of_a_key_that_is_written_with_an_escape(self) -> None:
        self.assertIn(":1: prot: unknown key", self.refused('\n"pr\\u006ft" = 1'))

    def test_wrong_type_and_bad_value(self) -> None:
        self.assertIn(":1: port: '1': must be a whole number from 0 to 65535", self.refused('port = "1"'))
        self.assertIn(":1: port: 65536: must be a whole number", self.refused("port = 65536"))
        self.assertIn(":1: log-format: 'xml': must be text or json", self.refused('log-format = "xml"'))
        self.assertIn(":1: log-connections: 'on': must be on or off", self.refused('log-connections = "on"'))
        self.assertIn(
            ":1: listen: 'nope:1': must be an endpoint string of type tcp, ",
            self.refused('listen=["tcp:1", "nope:1", "tcp:2"]'),
        )

    def test_wrong_type_is_named_with_what_to_write(self) -> None:
        """O4; see also the tests of tomlvalues."""
        complaint = self.refused('port = "88"')
        self.assertEqual(
            complaint, ":1: port: '88': must be a whole number from 0 to 65535; it is text: write port = 88"
        )
        self.assertIn("432: must be three octal digits", complaint := self.refused("unix-mode = 0o660 # rw"))
        self.assertTrue(complaint.endswith('; it is a number: write, for example, unix-mode = "660"'), complaint)

    def test_element_of_an_array(self) -> None:
        self.assertTrue(self.refused('listen = ["tcp:1", "x:1"]').endswith("array of such strings); it is element 2"))
        complaint = self.refused("listen = [5]")
        self.assertIn("(in a file: an array of such strings); it is a number: write, for example, listen =", complaint)

    def test_many_lines_that_look_like_the_key(self) -> None:
        """O4: within two seconds; each line that is tried takes as long as reading the file."""
        likely = "port=\n" * 10_000
        complaint = self.refused(f'listen = ["""tcp:1:\n{likely}"""]\nport = "x"')
        self.assertRegex(complaint, r"^:\d+: port: 'x': must be a whole number")

    def test_text_without_quotes(self) -> None:
        self.assertIn(':2: not TOML: Invalid value; write reactor = "epoll"', self.refused("\nreactor = epoll"))

    def test_long_key(self) -> None:
        self.assertLess(len(self.refused("a" * 60000 + " = 1")), 600)

    def test_no_file(self) -> None:
        error = self.assertRaises(ConfigurationError, read_file, "")
        self.assertEqual(str(error), "--config '': must name a file, for example echo.toml")

    def test_values_are_shown_short(self) -> None:
        self.assertLess(len(self.refused(f'interface = "{"x" * 60000}"')), 300)
        self.assertIn("a number of 24000 bits: must be", self.refused("port = 0x" + "f" * 6000))

    def test_not_toml(self) -> None:
        self.assertIn(":2: not TOML: ", self.refused("port = 1\nport 2\n"))
        self.assertIn(":3: not TOML: ", self.refused("port = 1\nlisten = [\n"))
        self.assertTrue(self.refused("port = 1\nport = 2\n").endswith(":2: not TOML: Cannot overwrite a value"))

    def test_beyond_the_limits_of_python(self) -> None:
        self.assertIn("not TOML: brackets are nested too deeply", self.refused("a = " + "[" * 60000))
        self.assertIn("not TOML: a number has too many digits", self.refused("a = " + "9" * 60000))
        self.assertIn("port: [a number of 24000 bits]: must be", self.refused(f"port = [0x{'f' * 6000}]"))

    def test_empty(self) -> None:
        self.assertIn(": is empty; it must contain settings, for example", self.refused(""))
        self.assertIn(": is empty", self.refused(" \n\t\n"))

    def test_not_utf8(self) -> None:
        self.assertEqual(self.refused(b'port = 1\ngreeting = "\xff"\n'), ":2: must be UTF-8 text")

    def test_too_large(self) -> None:
        self.assertIn(f": must not be larger than {MAXIMUM_SIZE} bytes", self.refused(b"#" * (MAXIMUM_SIZE + 1)))
        self.assertIn(": must not be larger than", self.complaint("/dev/zero"))

    def test_directory(self) -> None:
        self.assertEqual(self.complaint(os.curdir), ": can't be read: Is a directory")

    def test_missing(self) -> None:
        self.assertEqual(self.complaint(self.mktemp()), ": can't be read: No such file or directory")

    def test_a_pipe_that_nobody_writes_to_is_empty(self) -> None:
        """Nor is it waited for."""
        path = str(self.mktemp())
        os.mkfifo(path)
        self.assertIn(": is empty", self.complaint(path))

    def test_a_pipe_that_somebody_writes_to(self) -> None:
        """As in ``--config <(make-settings)``."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"port = 7")
        os.close(writing)
        self.assertEqual(read_file(f"/dev/fd/{reading}")["port"].value, 7)


NUMBERS = strategies.one_of(
    strategies.integers(-(10**30), 10**30).map(str),
    strategies.integers(0, 2**20000).map(hex),
    strategies.floats().map(str),
    strategies.sampled_from(["inf", "-inf", "nan", "1e400", "0o660", "0b1", "1_0", "07", "9" * 5000]),
)
VALUES = strategies.recursive(
    strategies.one_of(
        NUMBERS,
        strategies.text().map(json.dumps),
        strategies.sampled_from(
            ["true", "false", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "2024-02-31", "''"]
        ),
    ),
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        inner.map(lambda each: f"{{ a = {each} }}"),
    ),
    max_leaves=5,
)
KEYS = strategies.one_of(
    strategies.sampled_from([setting.name for setting in table()]), strategies.text().map(json.dumps)
)
LINES = strategies.tuples(KEYS, VALUES).map(" = ".join) | KEYS.map("[{}]".format) | KEYS.map("[[{}]]".format)

GOOD = b"""\
# echo.toml
port = 8888
listen = ["unix:/run/echo.sock:mode=660", "tcp:0"]
greeting = \"\"\"
Hello
\"\"\"
reactor = "epoll" # the usual one
log-format = "json"
log-connections = false
"""


class MutatedFileTests(SynchronousTestCase):
    """O4: any content is read, or refused in one line that names the file."""

    def assert_read_or_refused(self, content: bytes) -> None:
        path = str(self.mktemp())
        with open(path, "wb") as file:
            file.write(content)
        try:
            given = read_file(path)
        except ConfigurationError as error:
            line = one_line(str(error))
            self.assertTrue(line.startswith(path), line)
            self.assertLess(len(line), len(path) + 1000)
        else:
            self.assertLessEqual(set(given), {setting.name for setting in table()})
            join(given)

    @hypothesis_given(
        strategies.lists(LINES, max_size=3), strategies.sampled_from(["\n", "\r\n", "\r"]), strategies.booleans()
    )
    def test_any_values(self, lines: list[str], end: str, mark: bool) -> None:
        self.assert_read_or_refused(b"\xef\xbb\xbf" * mark + end.join(lines).encode("utf-8", "surrogatepass"))

    @hypothesis_given(strategies.data())
    def test_bytes_that_were_changed(self, data: strategies.DataObject) -> None:
        content = bytearray(GOOD)
        for _ in range(data.draw(strategies.integers(1, 5))):
            place = data.draw(strategies.integers(0, len(content)))
            if data.draw(strategies.booleans()):
                content[place : place + data.draw(strategies.integers(0, 5))] = data.draw(strategies.binary(max_size=3))
            else:
                del content[place:]
        self.assert_read_or_refused(bytes(content))

    def test_deep_nesting(self) -> None:
        """At any depth, also the one that Python's own limit is at."""
        for depth in (*range(1, 1000, 13), 5000):
            self.assert_read_or_refused(b"port = " + b"[" * depth + b"]" * depth)
            self.assert_read_or_refused(b"port = " + b"{a=" * depth + b"1" + b"}" * depth)
            self.assert_read_or_refused(b".".join([b"a"] * depth) + b" = 1")
