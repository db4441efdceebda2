"""The guide says what the code says."""

import os
import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

TESTS = '''
def helper():
    """O4: which tests call."""
class XTests:
    """U1: each test of it."""
    def test_one(self):
        """T6, T7 over TCP."""
    def test_two(self):
        """C8 (select, poll): on these."""
    def test_three(self):
        """What T6 needs."""
    def helper(self):
        """O4."""
'''

COMMAND = '''
"""
A long check.

Proves T1, T4.
"""
def main():
    """O4: is not about the echo."""
'''

PART_OF_A_COMMAND = '''
def one_hog():
    """B6: beside others."""
def measure():
    """What it needs."""
'''

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class DocsTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not os.path.isdir(os.path.join(ROOT, "docs")):
            self.skipTest("these tests run from a folder without the guide")

    def read(self, name: str) -> str:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            return file.read()

    def test_the_table_of_settings_is_that_of_the_code(self) -> None:
        """Else: make docs."""
        from tools.docs import settings_table, with_settings

        text = self.read("docs/operating.md")
        self.assertIn(settings_table(), text)
        self.assertEqual(with_settings(text), text)

    def test_the_chapter_of_promises_is_that_of_the_tests(self) -> None:
        """Else: make docs."""
        from tools.promises import chapter, complaints, read_promises, read_proofs

        promises, proofs = read_promises(), read_proofs()
        self.assertEqual(self.read("docs/promises.md"), chapter(promises, proofs))
        self.assertEqual(list(complaints(promises, proofs)), [])

    def test_what_proves_a_promise(self) -> None:
        """Tests and classes of tests whose docstrings begin with codes; no helpers, and no code in mid-sentence."""
        from tools.promises import EVERY, GIVEN, ONCE, Proof, proofs_in

        self.assertEqual(
            list(proofs_in("tests/server/test_x.py", TESTS)),
            [
                Proof(("U1",), "tests/server/test_x.py", "tests/server/test_x.py::XTests", EVERY),
                Proof(("T6", "T7"), "tests/server/test_x.py", "tests/server/test_x.py::XTests::test_one", EVERY),
                Proof(
                    ("C8",), "tests/server/test_x.py", "tests/server/test_x.py::XTests::test_two", "only select, poll"
                ),
            ],
        )
        [_, one, _] = proofs_in("tests/compare/test_x.py", TESTS)
        self.assertEqual(one.reactors, ONCE)
        self.assertEqual(
            list(proofs_in("tests/long.py", COMMAND)),
            [Proof(("T1", "T4"), "tests/long.py", "python -m tests.long", GIVEN)],
        )
        self.assertEqual(
            list(proofs_in("checks/figures/x.py", PART_OF_A_COMMAND)),
            [Proof(("B6",), "checks/figures/x.py", "python -m checks.figures one-hog", GIVEN)],
        )

    def test_what_is_wrong_with_promises_and_proofs(self) -> None:
        from tools.promises import EVERY, Promises, Proof, complaints

        texts = dict.fromkeys(("T1", "T2", "T3", "T4"), "…")
        promises = Promises({"T": "…"}, texts, pending=frozenset(("T2", "T3", "T9")), later=frozenset(("S1",)))
        proofs = [
            Proof(("T1", "S1", "T7"), "p", "one", EVERY),
            Proof(("T3",), "p", "two", EVERY),
            Proof(("T1",), "p", "three", "only select, selct"),
        ]
        self.assertEqual(
            list(complaints(promises, proofs)),
            [
                "T7: one names it, and there is no such promise",
                "T1: three is for the reactor selct, which there is not",
                "T9: it is pending in promises.toml, and there is no such promise",
                "T3: two proves it, so it is no longer pending in promises.toml",
                "T4: neither a test nor a command proves it",
            ],
        )

    def test_figures_have_their_commands(self) -> None:
        from tools.promises import Figure, Promises, chapter, complaints, is_command

        for words, there in (
            ("python -m checks.flood", True),
            ("python -m checks.nothing_lost --gib 10", True),
            ("python -m checks.figures", True),
            ("python -m checks.figures idle-memory hog --reactor poll", True),
            ("python -m checks.figures hug", False),
            ("python -m tests.floods", False),
            ("python -m checks.flood idle-memory", False),
            ("make figures", False),
        ):
            self.assertEqual(is_command(words), there, words)
        one = Figure("a wait", "≤ 1 s", "python -m checks.flood")
        promises = Promises({}, {}, frozenset(), frozenset(), (one, evolve(one, command="python -m tests.x")))
        self.assertEqual(list(complaints(promises, [])), ["a wait: there is no command 'python -m tests.x'"])
        self.assertIn("\n| a wait | ≤ 1 s | `python -m checks.flood` |\n", chapter(promises, []))

    def test_what_it_links_to_is_there(self) -> None:
        for name in (
            "README.md",
            "CONTRIBUTING.md",
            "NEWS.md",
            *(f"docs/{n}" for n in os.listdir(f"{ROOT}/docs") if n.endswith(".md")),
        ):
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", self.read(name)):
                self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), f"{name}: {target}")

    def test_the_example_of_a_plan_is_good(self) -> None:
        from echoproto.compare.plan.file import read_plan

        [example] = re.findall(r"```toml\n(.*?)```", self.read("docs/compare.md"), re.DOTALL)
        path = str(self.mktemp())
        with open(path, "w", encoding="utf-8") as file:
            file.write(example)
        found = read_plan(path)
        self.assertEqual((len(found.plan.cells), found.plan.budget, found.plan.cells[1].rate), (2, 600.0, 2_000.0))

    def test_all_presets_are_in_the_guide(self) -> None:
        from echoproto.compare.plan.presets import DESCRIPTIONS, preset

        text = self.read("docs/compare.md")
        for name in DESCRIPTIONS:
            plan = preset(name, "epoll")
            [row] = re.findall(rf"(?m)^\| `{name}` \|.*$", text)
            self.assertTrue(row.endswith(f"| {(plan.budget or 0) / 60:g} min |"), row)

    def test_the_example_file_is_good(self) -> None:
        from echoproto.server.settings.tomlfile import read_file

        [example] = re.findall(r"```toml\n(.*?)```", self.read("docs/operating.md"), re.DOTALL)
        path = str(self.mktemp())
        with open(path, "w", encoding="utf-8") as file:
            file.write(example)
        self.assertEqual(len(read_file(path)), 5)
