"""The guide says what the code says."""

import os
import re

from twisted.trial.unittest import SynchronousTestCase

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class DocsTests(SynchronousTestCase):
    def setUp(self) -> None:
        if not os.path.isdir(os.path.join(ROOT, "docs")):
            self.skipTest("these tests run from a folder without the guide")

    def read(self, name: str) -> str:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            return file.read()

    def test_the_table_of_settings_is_that_of_the_code(self) -> None:
        """Else: make docs."""
        from docs.generate import settings_table, with_settings

        text = self.read("docs/operating.md")
        self.assertIn(settings_table(), text)
        self.assertEqual(with_settings(text), text)

    def test_what_it_links_to_is_there(self) -> None:
        for name in (
            "README.md",
            "CONTRIBUTING.md",
            "NEWS.md",
            *(f"docs/{n}" for n in os.listdir(f"{ROOT}/docs") if n.endswith(".md")),
        ):
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", self.read(name)):
                self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(name), target)), f"{name}: {target}")

    def test_the_example_file_is_good(self) -> None:
        from echoproto.server.tomlfile import read_file

        [example] = re.findall(r"```toml\n(.*?)```", self.read("docs/operating.md"), re.DOTALL)
        path = str(self.mktemp())
        with open(path, "w", encoding="utf-8") as file:
            file.write(example)
        self.assertEqual(len(read_file(path)), 5)
