"""
Base class of the commands: examples and exit statuses in the help, wrapped to any width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from typing_extensions import override

CONTEXT = {"max_content_width": 110}
"""Settings of each command: the maximum width of its help, in columns."""

INTERNAL_ERROR = {70: "internal error; ECHOPROTO_DEBUG=1 shows its traceback"}
"""Exit status that all commands share, with its meaning."""


class Command(click.Command):
    """
    A command whose help ends with examples and exit statuses.

    :param examples: explanations by command line, which is never wrapped, so that it can be copied.
    :param exit_status: meanings by status.
    :param lists: further sections by title, each with explanations by name.
    """

    def __init__(
        self,
        *args: Any,
        examples: Mapping[str, str],
        exit_status: Mapping[int, str],
        lists: Mapping[str, Mapping[str, str]] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*args, **{"context_settings": CONTEXT, **named})
        self.examples = examples
        self.exit_status = exit_status
        self.lists = lists or {}

    @override
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, explanations in self.lists.items():
            with formatter.section(title):
                formatter.write_dl(list(explanations.items()))
        with formatter.section("Examples"):
            for line, explanation in self.examples.items():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                with formatter.indentation(), formatter.indentation():
                    formatter.write_text(explanation)
        with formatter.section("Exit status"):
            formatter.write_dl([(f"{status:3}", meaning) for status, meaning in self.exit_status.items()])
        super().format_epilog(ctx, formatter)
