"""The three places where a reactor is named, and what happens if they disagree."""

from tests.integration.twistd import REACTOR, FailingCase, Server, script
from tests.support.clients import exchange


class ReactorSwitchTests(FailingCase):
    """The three places where a reactor is named."""

    def config(self, content: str) -> str:
        path = f"{self.folder()}/echo.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path

    def serves_on(self, server: Server, name: str) -> None:
        self.assertIn(f", reactor {name}", server.lines[-1])
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"Hello\nx")

    def test_file(self) -> None:
        server = Server(
            script("twistd"), "-n", "echo", "-c", self.config(f"reactor = '{REACTOR}'\nport = 0"), cwd=self.folder()
        )
        self.addCleanup(self._end, server)
        server.listening()
        self.serves_on(server, REACTOR)

    def test_option_of_echo_beats_the_file(self) -> None:
        config = self.config("reactor = 'iocp'\nport = 0")
        self.serves_on(self.serve("--reactor", REACTOR, "--config", config), REACTOR)

    def test_option_of_twistd_agrees_with_auto_and_with_none(self) -> None:
        for words in ((), ("--reactor", "auto")):
            self.serves_on(self.serve(*words, twistd=("-n", "--reactor", REACTOR)), REACTOR)

    def test_options_that_contradict_each_other(self) -> None:
        other = "select" if REACTOR != "select" else "asyncio"
        line = self.complaint("--reactor", REACTOR, status=1, twistd=("-n", "--reactor", other))
        self.assertIn(f"--reactor: the reactor {REACTOR!r} was requested, but {other!r} is already installed", line)
        config = self.config(f"reactor = {REACTOR!r}")
        line = self.complaint("--config", config, status=1, twistd=("-n", "--reactor", other))
        self.assertIn(f"{config}:1: reactor: the reactor {REACTOR!r} was requested, but {other!r}", line)

    def test_twist(self) -> None:
        self.serves_on(self.serve("--reactor", REACTOR, "--log-format", "text", twistd=(), program="twist"), REACTOR)
        self.serves_on(self.serve("--log-format", "text", twistd=("--reactor", REACTOR), program="twist"), REACTOR)
