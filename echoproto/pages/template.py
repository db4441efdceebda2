"""
Pages from Jinja2 templates.

Every value is escaped and made one line before it enters a page, since names, commands and findings are foreign text.
A template that uses a missing value raises an error, and does not leave a gap.
"""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from echoproto.errors import one_line


def render(package: str, name: str, **values: object) -> str:
    """
    Render a template.

    :param package: the package with the template, in its folder ``templates``.
    :param name: file name of the template; it may use the shared ones (``layout.html``, ``macros.html``) by theirs.
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
    """Escape unprintable characters of a text; markup stays as it is."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value
