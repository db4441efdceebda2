from twisted.trial.unittest import SynchronousTestCase

from tests.support.consoleblocks import Block, Command, missing, parse

DOCUMENT = """# Title

<!-- of something else -->

Text.

<!-- before: twistd -n echo --port 8888 -->
<!-- file echo.toml:
port = 8888
reactor = "poll"
-->
<!-- shortened: 10m => 1s -->
<!-- link: tests .venv -->

```console
$ one --time 10m   # a comment
shown of one
  and more

$ two \\
>   'in two lines'
```

<!-- not run: takes an hour -->
```console
$ three
```

```python
$ four
```

<!-- meanwhile: telnet -->
<!-- typed: hello -->
```console
$ five
```
"""


class ParseTests(SynchronousTestCase):
    def test_a_document(self) -> None:
        first, second, third = parse(DOCUMENT)
        self.assertEqual(
            first,
            Block(
                line=16,
                commands=[
                    Command("one --time 10m   # a comment", ["shown of one", "  and more", ""]),
                    Command("two \\\n  'in two lines'", []),
                ],
                before=["twistd -n echo --port 8888"],
                files={"echo.toml": 'port = 8888\nreactor = "poll"\n'},
                links=["tests", ".venv"],
                shortened=[("10m", "1s")],
            ),
        )
        self.assertEqual(first.shorten("one --time 10m"), "one --time 1s")
        self.assertEqual((second.not_run, second.commands), ("takes an hour", [Command("three", [])]))
        self.assertEqual((third.meanwhile, third.typed), (["telnet"], ["hello"]))

    def test_what_is_wrong(self) -> None:
        for text in (
            "<!-- not run -->\n```console\n$ x\n```",
            "<!-- not run: -->\n```console\n$ x\n```",
            "<!-- perhaps: no -->\n```console\n$ x\n```",
            "```console\nx\n```",
        ):
            self.assertRaises(ValueError, parse, text)


class MissingTests(SynchronousTestCase):
    def assert_like(self, shown: str, line: str, *, alike: bool = True) -> None:
        self.assertEqual(missing([shown], f"before\n{line}\nafter\n"), [] if alike else [shown])

    def test_figures_dates_and_addresses_may_differ(self) -> None:
        for shown, line in (
            ("a  b", "a b"),
            ("port 49992, 4.999 seconds", "port 1, 12,000.5 seconds"),
            ("ip is 127.0.0.1, x", "ip is ::1, x"),
            ("… begins (no more)", "2026 [x] begins (no more)"),
            ("  110 µs  1.4 s", "1.2 ms  110 µs"),
            (
                "lrwx------ 1 root root 64 Nov 23 19:57 7 -> socket:[12]",
                "lrwx------ 1 me us 64 Dec  1 09:00 7 -> socket:[3]",
            ),
            ("a?", "a?"),
        ):
            self.assert_like(shown, line)

    def test_the_rest_may_not(self) -> None:
        for shown, line in (
            ("reactor epoll", "reactor poll"),
            ("a?", "a"),
            ("3 clients", "no clients"),
            ("socket fd is 7, x", "socket fd is 8, x"),
            ("64 Nov 23 19:57 7 -> x", "64 Nov 23 19:57 8 -> x"),
            ("twistd 1 root 7u IPv6", "twistd 1 root 8u IPv6"),
            ("all of it", "all of it, and more"),
        ):
            self.assert_like(shown, line, alike=False)

    def test_in_order(self) -> None:
        self.assertEqual(missing(["a", "", "b"], "a\nx\nb\n"), [])
        self.assertEqual(missing(["b", "a"], "a\nb\n"), ["a"])
        self.assertEqual(missing(["a", "a"], "a\n"), ["a"])
        self.assertEqual(missing([], ""), [])
