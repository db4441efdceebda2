import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from attrs import frozen
from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.structure import MAX_WHOLE, Mismatch, Reader, number, one_of, reader_of, shown, whole

values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(strategies.characters()),
    lambda children: strategies.lists(children, max_size=3) | strategies.dictionaries(strategies.text(), children),
    max_leaves=6,
)
"""Whatever Python takes for JSON."""


@frozen
class Part:
    size: Annotated[int, whole(1)] = 64
    rate: Annotated[float, number(0, open_below=True, most=100)] | None = None


@frozen
class Whole:
    name: str
    good: bool
    part: Part
    parts: tuple[Part, ...] = ()
    pairs: tuple[tuple[float, int], ...] = ()
    kind: Annotated[str | None, one_of(None, "fin", "reset")] = None
    times: Mapping[str, float] = {}


SMALLEST = {"name": "x", "good": True, "part": {}}


class StructureTests(SynchronousTestCase):
    def complaint(self, reader: Reader, value: object) -> str:
        with self.assertRaises(Mismatch) as caught:
            reader(value)
        return str(caught.exception)

    def read(self, **more: object) -> Whole:
        found: Whole = reader_of(Whole)({**SMALLEST, **more})
        return found

    def test_all_kinds_of_values(self) -> None:
        found = self.read(
            part={"size": 1.0, "rate": 5},
            parts=[{}, {"rate": None}],
            pairs=[[1, 2], [0.5, -3]],
            kind="fin",
            times={"p50": 1},
        )
        parts = (Part(), Part())
        self.assertEqual(
            found, Whole("x", True, Part(1, 5.0), parts, ((1.0, 2), (0.5, -3)), kind="fin", times={"p50": 1.0})
        )
        self.assertIs(type(found.part.size), int)
        self.assertIs(type(found.part.rate), float)

    def test_unknown_keys_are_ignored(self) -> None:
        self.assertEqual(self.read(new=[{}], part={"new": math.nan}), self.read())

    def test_what_is_wrong_is_named_by_its_path(self) -> None:
        for given_, said in (
            ({"name": 5}, "name: 5: must be a text"),
            ({"name": None}, "name: null: must be a text"),
            ({"good": 1}, "good: 1: must be true or false"),
            ({"part": []}, "part: an array of 0: must be an object"),
            ({"part": "size"}, "part: 'size': must be an object"),
            ({"part": {"size": 0}}, "part.size: 0: must be a whole number from 1 to"),
            ({"part": {"size": True}}, "part.size: true: must be a whole number"),
            ({"part": {"size": 1.5}}, "part.size: 1.5: must be a whole number"),
            ({"part": {"size": math.inf}}, "part.size: Infinity: must be a whole number"),
            ({"part": {"size": 10**400}}, f"part.size: a number beyond {MAX_WHOLE}: must be a whole number"),
            ({"part": {"rate": 0}}, "part.rate: 0: must be a number, greater than 0 and at most 100"),
            ({"part": {"rate": 101}}, "part.rate: 101: must be"),
            ({"part": {"rate": math.nan}}, "part.rate: NaN: must be"),
            ({"part": {"rate": "5"}}, "part.rate: '5': must be"),
            ({"parts": {}}, "parts: an object: must be an array"),
            ({"parts": [{}, {"rate": -1}]}, "parts[1].rate: -1: must be"),
            ({"pairs": [[1, 2], [1]]}, "pairs[1]: an array of 1: must be an array of 2"),
            ({"pairs": [[1, 0.5]]}, "pairs[0][1]: 0.5: must be a whole number"),
            ({"kind": "FIN"}, "kind: 'FIN': must be one of null, 'fin', 'reset'"),
            ({"kind": 0}, "kind: 0: must be"),
            ({"times": []}, "times: an array of 0: must be an object"),
            ({"times": {"p5\n": "x"}}, "times.p5\\n: 'x': must be a number"),
        ):
            told = self.complaint(reader_of(Whole), {**SMALLEST, **given_})
            self.assertTrue(told.startswith(said), f"{told}, and not {said}")
        self.assertEqual(self.complaint(reader_of(Whole), {"name": "", "good": True}), "part: missing")

    def test_bounds(self) -> None:
        self.assertEqual(number(-1)(-1), -1.0)
        self.assertEqual(self.complaint(number(-1), -2), "-2: must be a number, at least -1")
        self.assertEqual(whole()(MAX_WHOLE), MAX_WHOLE)
        self.complaint(whole(), MAX_WHOLE + 1)
        self.assertEqual(whole(most=MAX_WHOLE + 1)(MAX_WHOLE + 1), MAX_WHOLE + 1)

    @given(values)
    def test_whatever_it_is(self, value: Any) -> None:
        """It is read, or is not what it must be; and is shown in a few characters."""
        self.assertLess(len(shown(value)), 60)
        self.assertTrue(shown(value).isprintable())
        for kind in (Whole, Part, tuple[float, ...], str, int, bool, Mapping[str, int]):
            try:
                reader_of(kind)(value)
            except Mismatch as error:
                self.assertEqual(len(str(error).splitlines()), 1, json.dumps(value))
