import io

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from echoproto.progress import Board, Lines, Progress, State, progress_for, show_left


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
                lines.show(State(what=f"step {done}", elapsed=done, left=60 - done))
            lines.note("a: harm\x1b")
        self.assertEqual(
            self.file.getvalue().splitlines(),
            ["step 0.0; 1 min 0 s left", "step 5.0; 55 s left", "step 10.5; 50 s left", "a: harm\\x1b"],
        )

    def test_a_bar(self) -> None:
        with Board(self.console(terminal=True)) as board:
            board.show(State(what="round 1 of 2: some [name]", elapsed=10.0, left=70.0))
            shown = Console(width=100, file=io.StringIO())
            with shown.capture() as captured:
                shown.print(board)
            self.assertIn("round 1 of 2: some [name]", captured.get())
            self.assertRegex(captured.get(), "1 min (10|9|8) s left")
            board.note("a: harm")
        self.assertIn("a: harm", self.file.getvalue())
        self.assertTrue(self.file.getvalue().endswith("\x1b[?25h") or "\x1b[2K" in self.file.getvalue())

    def test_narrow_terminals(self) -> None:
        for width in (40, 60):
            with Board(self.console(terminal=True)) as board:
                board.show(State(what="round 1 of 2: echo-lean-epoll-buffered", elapsed=10.0, left=7000.0))
                shown = Console(width=width, file=io.StringIO())
                with shown.capture() as captured:
                    shown.print(board)
            text = " ".join(line[2:-2].rstrip() for line in captured.get().splitlines())
            self.assertRegex(text, r"round 1 of 2:.*echo-lean-epoll-buffered;.* s left")

    def test_between_two_states(self) -> None:
        """Time goes on; a share that the caller knows does not."""
        later = State(what="x", elapsed=10.0, left=30.0).later(10.0)
        self.assertEqual((later.elapsed, later.left, later.share), (20.0, 20.0, 0.5))
        self.assertEqual(later.later(99.0).share, 1.0)
        known = State(what="x", share=0.2)
        self.assertIs(known.later(9.0), known)

    def test_silence(self) -> None:
        with Progress() as silence:
            silence.begin("x", "y")
            silence.show(State(what="x", elapsed=1, left=1))
            silence.note("x")
        self.assertIs(type(progress_for(quiet=True)), Progress)
        self.assertIsNone(silence.interval)
