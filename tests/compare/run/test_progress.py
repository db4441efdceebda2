import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.run.progress import Board, Lines, Silence, show_left


class ProgressTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = io.StringIO()

    def console(self, *, terminal: bool) -> Console:
        return Console(file=self.file, force_terminal=terminal, width=100, highlight=False)

    def test_time_left(self) -> None:
        for seconds, text in ((-1.0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (754.0, "12 min 34 s")):
            self.assertEqual(show_left(seconds), text)

    def test_a_line_now_and_then(self) -> None:
        with Lines(self.console(terminal=False)) as lines:
            for done in (0.0, 1.0, 4.9, 5.0, 9.0, 10.5):
                lines.at(f"step {done}", done=done, left=60 - done)
            lines.say("a: harm\x1b")
        self.assertEqual(
            self.file.getvalue().splitlines(),
            ["step 0.0; 1 min 0 s left", "step 5.0; 55 s left", "step 10.5; 50 s left", "a: harm\\x1b"],
        )

    def test_a_bar(self) -> None:
        with Board(self.console(terminal=True)) as board:
            board.at("round 1 of 2: some [name]", done=10.0, left=70.0)
            shown = Console(width=100, file=io.StringIO())
            with shown.capture() as captured:
                shown.print(board)
            self.assertIn("round 1 of 2: some [name]", captured.get())
            self.assertRegex(captured.get(), "1 min (10|9|8) s left")
            board.say("a: harm")
        self.assertIn("a: harm", self.file.getvalue())
        self.assertTrue(self.file.getvalue().endswith("\x1b[?25h") or "\x1b[2K" in self.file.getvalue())

    def test_narrow_terminals(self) -> None:
        for width in (40, 60):
            with Board(self.console(terminal=True)) as board:
                board.at("round 1 of 2: echo-lean-epoll-buffered", done=10.0, left=7000.0)
                shown = Console(width=width, file=io.StringIO())
                with shown.capture() as captured:
                    shown.print(board)
            self.assertIn("round 1 of 2: echo-lean-epoll-buffered", captured.get())
            self.assertIn(" s left", captured.get())

    def test_silence(self) -> None:
        with Silence() as silence:
            silence.at("x", done=1, left=1)
            silence.say("x")
