import os

from hypothesis import given, strategies
from twisted.trial.unittest import SynchronousTestCase

from echoproto.compare.plan.file import PlanFile, plan_of, read_plan
from echoproto.compare.plan.plan import Plan
from echoproto.compare.results import Cell
from echoproto.errors import ConfigurationError

WHOLE = """
contestants = ["mine", "echo-epoll"]
baseline = "echo-epoll"
rounds = 7
duration = "500ms"
warmup = 0
budget = "10m"
calls = false
transport = "tls"

[commands]
mine = "./server {port}"

[[cell]]
connections = 10
size = "10KiB"
idle = 900
rate = 2000
churn = "reset"

[[cell]]
size = 99
"""

values = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda children: strategies.lists(children, max_size=3) | strategies.dictionaries(strategies.text(), children),
    max_leaves=8,
)
KEYS = ("contestants", "baseline", "rounds", "duration", "warmup", "budget", "calls", "transport", "commands", "cell")


class PlanFileTests(SynchronousTestCase):
    def read(self, text: str | bytes) -> PlanFile:
        self.path = str(self.mktemp())
        with open(self.path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return read_plan(self.path)

    def complaint(self, text: str | bytes) -> str:
        with self.assertRaises(ConfigurationError) as caught:
            self.read(text)
        self.assertTrue(str(caught.exception).startswith(f"{self.path}: "), caught.exception)
        return str(caught.exception).removeprefix(f"{self.path}: ")

    def test_all_keys(self) -> None:
        found = self.read(WHOLE)
        cells = [Cell(10, 10 << 10, 900, "tls", 2000.0, "reset"), Cell(size_bytes=99, transport="tls")]
        self.assertEqual(
            found.plan,
            Plan(
                contestants=("mine", "echo-epoll"),
                cells=cells,
                rounds=7,
                duration=0.5,
                warmup=0.0,
                budget=600.0,
                baseline="echo-epoll",
                calls=False,
            ),
        )
        self.assertEqual([(entry.name, entry.description) for entry in found.commands], [("mine", "./server {port}")])

    def test_what_goes_without_saying(self) -> None:
        plan = self.read("contestants = ['threads']").plan
        self.assertEqual((plan.cells, plan.baseline, plan.budget), ((Cell(),), "threads", None))
        self.assertEqual(self.read("[commands]\nmine = './x {port}'").plan.contestants, ("mine",))

    def test_complaints_name_the_key(self) -> None:
        some = "contestants = ['a', 'b']\n"
        for text, said in (
            ("", "missing contestants, for example contestants = ["),
            (b"\xff", "not TOML: "),
            ("x = ", "not TOML: "),
            ("x = " + "[" * 60000, "not TOML: brackets are nested too deeply"),
            (
                some + "rounds = '3'",
                "rounds: '3': must be a whole number from 1 to 1000000000, for example 5; it is text: write rounds = 3",
            ),
            (some + "calls = 'true'", "calls: 'true': must be true or false; it is text: write calls = true"),
            ("contestants = 'a'", "contestants: 'a': must be an array"),
            ("contestants = ['']", "contestants[1]: '': must be text, for example 'echo-epoll'"),
            (some + "baseline = 'c'", "baseline: 'c': must be one of the contestants: a, b"),
            (some + "round = 5", "round: unknown key (did you mean 'rounds'?)"),
            (some + "rounds = 0", "rounds: 0: must be a whole number from 1 to 1000000000"),
            (some + "rounds = 1000000001", "rounds: 1000000001: must be a whole number from 1 to 1000000000"),
            (
                some + f"[[cell]]\nrate = 1{'0' * 400}",
                "cell[1].rate: a number beyond 1152921504606846976: must be a number of messages per second",
            ),
            (some + "[[cell]]\nrate = nan", "cell[1].rate: NaN: must be a number"),
            (some + "[[cell]]\nsize = -1", "cell[1].size: -1: must be a whole number"),
            (some + "budget = inf", "budget: Infinity: must be a number of seconds"),
            (some + "rounds = true", "rounds: true: must be a whole number"),
            (some + "duration = 0", "duration: 0: must be greater than 0 seconds"),
            (some + "duration = 'soon'", "duration: soon: must be a number of us, ms, s, m or h, for example 500ms"),
            (some + "warmup = []", "warmup: an array of 0: must be a number"),
            (some + "calls = 1", "calls: 1: must be true or false"),
            (some + "transport = 'sctp'", "transport: 'sctp': must be one of 'tcp', 'tls', 'udp'"),
            (some + "cell = []", "cell: an array of 0: must be tables, each under [[cell]]"),
            (some + "[cell]\nidle = 1", "cell: an object: must be tables"),
            (some + "[[cell]]\n[[cell]]\nsize = 'big'", "cell[2].size: big: must be a whole number of bytes"),
            (
                some + "[[cell]]\nsize = 0",
                "cell[1].size: 0: must be a whole number from 1 to 1000000000, for",
            ),
            (some + "[[cell]]\nchurn = 'rst'", "cell[1].churn: 'rst': must be one of 'fin', 'reset'"),
            (some + "[[cell]]\nrate = '5'", "cell[1].rate: '5': must be a number"),
            (some + "[[cell]]\nidel = 5", "cell[1].idel: unknown key (did you mean 'idle'?)"),
            (some + "transport = 'udp'\n[[cell]]\nidle = 5", "cell[1]: idle needs connections, and UDP has none"),
            (some + "commands = 5", "commands: 5: must be a table"),
            (
                some + "[commands]\nx = './x'",
                "commands: the command of 'x' must contain {port}, for example './server {port}'",
            ),
            (b"#" * (1 << 20) + b"#", "is larger than"),
        ):
            self.assertTrue(self.complaint(text).startswith(said), f"{text[:99]!r}: {self.complaint(text)}")

    def test_files_that_can_not_be_read(self) -> None:
        named_pipe = str(self.mktemp())
        os.mkfifo(named_pipe)  # without a writer, it is empty
        self.assertIn(
            "missing contestants, for example contestants = [",
            str(self.assertRaises(ConfigurationError, read_plan, named_pipe)),
        )
        for path in ("/no/such/file", os.path.dirname(__file__)):
            with self.assertRaises(ConfigurationError) as caught:
                read_plan(path)
            self.assertIn(f"{path}: can't be read", str(caught.exception))

    @given(strategies.dictionaries(strategies.sampled_from(KEYS), values))
    def test_whatever_it_holds(self, document: dict[str, object]) -> None:
        """It is a plan, or a complaint."""
        try:
            plan_of(document, "x")
        except ConfigurationError as error:
            self.assertTrue(str(error).startswith("x: "))
