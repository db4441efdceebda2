"""
Pages from Jinja2 templates.

Every value is escaped and made one line before it gets into a page, since names, commands and findings come from
others. A template that uses a value which it was not given is an error, not an empty place.
"""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from echoproto.errors import one_line


def render(package: str, name: str, **values: object) -> str:
    """
    Fill in a template.

    :param package: the package with the template, in its folder ``templates``.
    :param name: file name of the template, which finds the shared ones (``layout.html``, ``macros.html``) by theirs.
    """
    return environment(package).get_template(name).render(values)


@cache
def environment(package: str) -> Environment:
    """Return the Jinja2 environment for the templates of a package."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("echoproto.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_on_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _on_one_line(value: object) -> object:
    """Show what can't be printed by its escapes; markup has none of it, or means it."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value
