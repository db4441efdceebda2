from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.units import SIZES, TIMES, counted, parse_size, parse_sizes, parse_time, show_size, show_time

whole = strategies.integers(0, 10**12)


class SizeTests(SynchronousTestCase):
    def test_written(self) -> None:
        for text, size in (("64", 64), ("64B", 64), ("10KiB", 10240), ("10 kB", 10_000), ("2MiB", 2 << 20)):
            self.assertEqual(parse_size(text), size)

    @given(whole, strategies.sampled_from(sorted(SIZES)))
    def test_any(self, number: int, unit: str) -> None:
        self.assertEqual(parse_size(f"{number}{unit}"), number * SIZES[unit])

    @given(whole)
    def test_round_trip(self, size: int) -> None:
        self.assertEqual(parse_size(show_size(size)), size)

    @given(strategies.text())
    def test_anything_else_is_one_line(self, text: str) -> None:
        try:
            parse_size(text)
        except ConfigurationError as error:
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_refused(self) -> None:
        for text in ("", "KiB", "-1", "1.5KiB", "10 bananas", "10KIB", "٣"):
            self.assertRaises(ConfigurationError, parse_size, text)

    def test_ranges(self) -> None:
        self.assertEqual(parse_sizes("64"), (64, 64))
        self.assertEqual(parse_sizes("64-1KiB"), (64, 1024))
        for text in ("0", "0-5", "9-8", "-", "1-", "-1", "1-2-3"):
            self.assertRaises(ConfigurationError, parse_sizes, text)


class CountTests(SynchronousTestCase):
    def test_one_and_many(self) -> None:
        shown = [counted(number, "byte") for number in (0, 1, 2, 1_000)]
        self.assertEqual(shown, ["0 bytes", "1 byte", "2 bytes", "1,000 bytes"])
        self.assertEqual([counted(number, "echo", "echoes") for number in (1, 2)], ["1 echo", "2 echoes"])


class TimeTests(SynchronousTestCase):
    def test_written(self) -> None:
        for text, seconds in (
            ("10", 10),
            ("1.5s", 1.5),
            ("500ms", 0.5),
            ("250 us", 250e-6),
            ("3µs", 3e-6),
            ("2m", 120),
        ):
            self.assertAlmostEqual(parse_time(text), seconds)

    @given(whole, strategies.sampled_from(sorted(TIMES)))
    def test_any(self, number: int, unit: str) -> None:
        self.assertAlmostEqual(parse_time(f"{min(number, 10**11)}{unit}"), min(number, 10**11) * TIMES[unit])

    def test_refused(self) -> None:
        for text in ("", "s", "-1", "1e3", "nan", "inf", "1 week", ".5", "5.", "1\n"):
            self.assertRaises(ConfigurationError, parse_time, text)

    def test_shown(self) -> None:
        for microseconds, text in (
            (0, "0 µs"),
            (1, "1 µs"),
            (1.5, "1.5 µs"),
            (99.94, "99.9 µs"),
            (999, "999 µs"),
            (999.7, "1 ms"),
            (1234, "1.23 ms"),
            (12_345, "12.3 ms"),
            (999_600, "1 s"),
            (1_412_000, "1.41 s"),
            (60_000_000, "60 s"),
            (1_234_000_000, "1,234 s"),
        ):
            self.assertEqual(show_time(microseconds), text)
