import tomllib
from datetime import UTC, date, datetime, time

import hypothesis
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.server.settings.table import table
from echoproto.server.settings.tomlvalues import element_hint, hint, line_hint, shown, table_hint, type_of, written

SETTINGS = {setting.name: setting for setting in table()}


class ShownTests(SynchronousTestCase):
    def test_as_it_was_written(self) -> None:
        for value, expected in (
            (True, "true"),
            ([False, 1.5], "[false, 1.5]"),
            ("a", "'a'"),
            (date(2024, 1, 2), "2024-01-02"),
            (-(2**64) + 1, "-18446744073709551615"),
        ):
            self.assertEqual(shown(value), expected)

    def test_short(self) -> None:
        self.assertEqual(shown(2**64), "a number of 65 bits")
        self.assertEqual(shown({"a": [2**20000]}), "{'a': [a number of 20001 bits]}")
        self.assertLess(len(shown("x" * 1000)), 50)


class TypeTests(SynchronousTestCase):
    def test_names(self) -> None:
        for value, expected in (
            (True, "a truth value"),
            (1, "a number"),
            (1.0, "a floating-point number"),
            ("1", "text"),
            ([], "an array"),
            ({}, "a table"),
            (date.today(), "a date or a time"),
            (datetime.now(UTC), "a date or a time"),
            (time(), "a date or a time"),
        ):
            self.assertEqual(type_of(value), expected)


class HintTests(SynchronousTestCase):
    def hint(self, line: str) -> str:
        [(name, value)] = tomllib.loads(line).items()
        setting = SETTINGS[name]
        self.assertRaises(ValueError, setting.kind.from_toml, value)
        return hint(setting, value, line)

    def test_what_was_meant(self) -> None:
        for line, kind, meant in (
            ('port = "88"', "text", "port = 88"),
            ("port = 88.0", "a floating-point number", "port = 88"),
            ("port = [88]", "an array", "port = 88"),
            ('workers = "4"', "text", "workers = 4"),
            ('log-connections = "off"', "text", "log-connections = false"),
            ("greeting = 5 # five", "a number", 'greeting = "5"'),
            ("greeting = 1979-05-27", "a date or a time", 'greeting = "1979-05-27"'),
            ("greeting = true", "a truth value", 'greeting = "true"'),
            ('greeting = ["a\\n"]', "an array", 'greeting = "a\\n"'),
            ("unix-mode = 660", "a number", 'unix-mode = "660"'),
            ("unix-owner = 1000", "a number", 'unix-owner = "1000"'),
            ('listen = "tcp:1"', "text", 'listen = ["tcp:1"]'),
        ):
            self.assertEqual(self.hint(line), f"; it is {kind}: write {meant}", line)

    def test_an_example(self) -> None:
        for line, kind, example in (
            ('port = "x"', "text", "port = 8888"),
            ("port = true", "a truth value", "port = 8888"),
            ("port = 1.5", "a floating-point number", "port = 8888"),
            ("port = nan", "a floating-point number", "port = 8888"),
            ("port = [1, 2]", "an array", "port = 8888"),
            ("port = {}", "a table", "port = 8888"),
            ("idle = {}", "a table", "idle = 300"),
            ("drain = []", "an array", "drain = 10"),
            ("workers = true", "a truth value", "workers = 1"),
            ("unix-mode = 0o660", "a number", 'unix-mode = "660"'),
            ("unix-owner = []", "an array", 'unix-owner = "echo:echo"'),
            ("interface = 7", "a number", 'interface = "127.0.0.1"'),
            ("greeting = [1, 2]", "an array", 'greeting = "Hello\\n"'),
            ("log-connections = 1", "a number", "log-connections = true"),
            ("log-format = 1", "a number", 'log-format = "text"'),
            ("listen = 1", "a number", 'listen = ["tcp:8888:interface=127.0.0.1"]'),
            (f"listen = '{'x' * 100}'", "text", 'listen = ["tcp:8888:interface=127.0.0.1"]'),
        ):
            self.assertEqual(self.hint(line), f"; it is {kind}: write, for example, {example}", line)

    def test_none_for_the_right_type(self) -> None:
        for line in ("port = -1", 'workers = "all"', 'log-format = "xml"', "listen = [1]", 'unix-mode = "999"'):
            self.assertEqual(self.hint(line), "", line)

    def test_element(self) -> None:
        self.assertEqual(element_hint(SETTINGS["listen"], "x"), "")
        expected = '; it is a table: write, for example, listen = ["tcp:8888:interface=127.0.0.1"]'
        self.assertEqual(element_hint(SETTINGS["listen"], {}), expected)

    def test_every_setting_has_an_example(self) -> None:
        for setting in table():
            example = setting.kind.example
            value = list(example) if isinstance(example, tuple) else example
            self.assertEqual(setting.kind.from_toml(value), example)
            self.assertIsInstance(value, setting.kind.types)

    @hypothesis.example("\x7f")
    @given(strategies.one_of(strategies.text(), strategies.booleans(), strategies.integers(-(2**63), 2**63 - 1)))
    def test_written_is_read_back(self, value: object) -> None:
        self.assertEqual(tomllib.loads(f"a = {written((value,))}"), {"a": [value]})


class OtherHintTests(SynchronousTestCase):
    def test_as_on_a_command_line(self) -> None:
        for line, expected in (
            ("greeting = Hello", 'greeting = "Hello"'),
            (" interface=127.0.0.1\r", 'interface = "127.0.0.1"'),
            ("interface = ::1", 'interface = "::1"'),
            ("listen = unix:/run/s # here", 'listen = ["unix:/run/s"]'),
            ("log-connections = off", "log-connections = false"),
            ("workers = auto", 'workers = "auto"'),
        ):
            self.assertEqual(line_hint(SETTINGS, line), f"; write {expected}")

    def test_what_does_not_look_like_it(self) -> None:
        lines = ("", "port", "port = 07", "port = 88x", "port = [1", 'greeting = "a', "listen = ['a'", "colour = red")
        for line in (*lines, f"greeting = {'x' * 100}"):
            self.assertEqual(line_hint(SETTINGS, line), "")

    def test_table(self) -> None:
        tables: list[object] = [{}, [{}]]
        others: list[object] = [1, [], [1]]
        for value in tables:
            self.assertEqual(
                table_hint(value), "; it is a table: write settings outside of tables, for example port = 8888"
            )
        for value in others:
            self.assertEqual(table_hint(value), "")
