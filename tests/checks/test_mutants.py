from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from checks.mutation.mutants import mutants_of


class MutantsTests(SynchronousTestCase):
    def changes(self, text: str) -> list[str]:
        """Become of the last line, in a function's body."""
        text = "def f(a, b, c):\n" + "".join(f"    {line}\n" for line in dedent(text).strip().split("\n"))
        return [mutant.after for mutant in mutants_of(text) if mutant.before == text.split("\n")[-2].strip()]

    def test_comparisons(self) -> None:
        self.assertEqual(self.changes("x = a < b"), ["x = a <= b", "x = a >= b"])
        self.assertEqual(self.changes("x = a is not b"), ["x = a is b"])
        self.assertEqual(self.changes("x = (a) == (b)"), ["x = (a) != (b)"])
        self.assertEqual(
            self.changes("x = a <= b not in c"), ["x = a < b not in c", "x = a > b not in c", "x = a <= b in c"]
        )

    def test_conditions(self) -> None:
        self.assertEqual(
            self.changes("x = a and b or not c"),
            [
                "x = a and b and not c",
                "x = a or b or not c",
                "x = a and b or (c)",
            ],
        )
        self.assertEqual(self.changes("if a: pass"), ["if not (a): pass"])
        self.assertEqual(self.changes("x = [a for a in b if c]"), ["x = [a for a in b if not (c)]"])
        self.assertEqual(
            self.changes("x = 'ä' and (b if c else a)"),
            [
                "x = 'ä' or (b if c else a)",
                "x = (\"XX\" + 'ä') and (b if c else a)",
                "x = 'ä' and (b if not (c) else a)",
            ],
        )

    def test_arithmetic(self) -> None:
        self.assertEqual(self.changes("x = a + b * c"), ["x = a - b * c", "x = a + b / c"])
        self.assertEqual(self.changes("a -= b"), ["pass", "a += b"])

    def test_constants(self) -> None:
        self.assertEqual(self.changes("x = 20"), ["x = 21", "x = 19"])
        self.assertEqual(self.changes("x = 0"), ["x = 1", "x = (-1)"])
        self.assertEqual(self.changes("x = 0.5"), ["x = 1.0", "x = 0.25"])
        self.assertEqual(self.changes("x = True"), ["x = False"])
        self.assertEqual(self.changes("x = b'a'"), ["x = (b\"XX\" + b'a')"])
        self.assertEqual(self.changes("x = f'{a + 1}'"), ["x = (\"XX\" + f'{a + 1}')"])

    def test_statements(self) -> None:
        self.assertEqual(self.changes("a.b = c"), ["pass"])
        self.assertEqual(self.changes("a, self.b = b, c"), ["pass"])
        self.assertEqual(self.changes("a, b = b, c"), [], "without which the names would only be missing")
        self.assertEqual(self.changes("del a[b]"), ["pass"])
        self.assertEqual(self.changes("raise a"), ["pass"])
        self.assertEqual(self.changes("a.b(c)"), ["pass"])
        self.assertEqual(self.changes("return a"), ["return None"])
        self.assertEqual(self.changes("return min(a, b)"), ["return None", "return max(a, b)", "return min(a)"])
        self.assertEqual(self.changes("for a in b:\n    break"), ["continue"])
        self.assertEqual(self.changes("for a in b:\n    continue"), ["break"])

    def test_arguments(self) -> None:
        """One is left out: a keyword, or the last of the others; a single one is not."""
        self.assertEqual(
            self.changes("x = a(b, c, d=a, e=b)"), ["x = a(b, d=a, e=b)", "x = a(b, c, e=b)", "x = a(b, c, d=a)"]
        )
        self.assertEqual(self.changes("x = a(b=c, d=a)"), ["x = a(d=a)", "x = a(b=c)"])
        self.assertEqual(self.changes("x = a(b, (c), *a)"), [])
        self.assertEqual(self.changes("x = a(b)"), [])

    def test_where(self) -> None:
        text = dedent(
            '''
            """Of the module."""
            import os.path as one
            LIMIT = 1
            """Of the constant."""
            class A:
                """Of the class."""
                size: "int" = 2
                @decorated(1)
                def b(self, c: "str" = "d") -> "str":
                    """Of the function."""
                    return cast("str", (
                        c + c
                    ))
            '''
        )
        self.assertEqual(
            [(each.line, each.where, each.before.split("\n")[0]) for each in mutants_of(text)],
            [
                (4, "", "LIMIT = 1"),
                (4, "", "LIMIT = 1"),
                (8, "A", 'size: "int" = 2'),
                (8, "A", 'size: "int" = 2'),
                (10, "A", 'def b(self, c: "str" = "d") -> "str":'),
                (12, "A.b", 'return cast("str", ('),
                (13, "A.b", "c + c"),
            ],
        )

    def test_the_rest_stays_as_it_is(self) -> None:
        text = "def f():  # why\n    # how\n    return (1  # first\n        + 2)\n"
        self.assertEqual(len(mutants_of(text)), 6)
        for mutant in mutants_of(text):
            self.assertEqual(mutant.text.split("\n")[:2], text.split("\n")[:2])
            self.assertEqual(
                text.replace(text.split("\n")[mutant.line - 1].strip(), "", 1).count("\n"), text.count("\n")
            )
