from jinja2 import UndefinedError
from markupsafe import Markup
from twisted.trial.unittest import SynchronousTestCase

from echoproto.pages.template import environment, render
from tests.load.report.reports import NASTY

PACKAGES = ("echoproto.compare.report", "echoproto.load.report")
"""Packages with templates."""


class EnvironmentTests(SynchronousTestCase):
    def render(self, source: str, **values: object) -> str:
        return environment("echoproto.load.report").from_string(source).render(values)

    def test_each_value_is_escaped(self) -> None:
        """W3: in text and in attributes, from macros and attributes of values, whatever the template is called."""
        for package in PACKAGES:
            self.assertIs(environment(package).autoescape, True)
        escaped = "&lt;/svg&gt;&lt;script&gt;document.title=&#39;harmed&#39;&lt;/script&gt;[bold]\\x1b[31m\\r\\n"
        self.assertEqual(self.render("{{ name }}", name=NASTY), escaped)
        self.assertEqual(self.render("{{ pair[0] }}", pair=(NASTY,)), escaped)
        self.assertEqual(self.render('<p title="{{ name }}">', name='"><'), '<p title="&#34;&gt;&lt;">')
        row = "{% from 'macros.html' import row %}{{ row(name, 7) }}"
        self.assertEqual(self.render(row, name=NASTY), f"<tr><td>{escaped}</td><td>7</td></tr>")

    def test_what_can_not_be_printed_is_shown_by_its_escapes(self) -> None:
        self.assertEqual(self.render("{{ name }}", name="\x1b[31m\udcff\n"), "\\x1b[31m\\xff\\n")

    def test_markup_stays(self) -> None:
        self.assertEqual(self.render("{{ svg }} {{ text|safe }}", svg=Markup("<svg>\n"), text="<b>\n"), "<svg>\n <b>\n")

    def test_what_is_not_there_is_an_error(self) -> None:
        self.assertRaises(UndefinedError, self.render, "{{ missing }}")
        self.assertRaises(UndefinedError, self.render, "{% if value.missing %}{% endif %}", value=7)


class RenderTests(SynchronousTestCase):
    def test_a_page_needs_all_its_values(self) -> None:
        self.assertRaises(UndefinedError, render, "echoproto.load.report", "load.html", title="")

    def test_what_is_shared_is_found(self) -> None:
        self.assertIn("prefers-color-scheme: dark", render("echoproto.load.report", "style.css"))
