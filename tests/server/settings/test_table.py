import attrs
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.settings.table import Given, Settings, join, table


class TableTests(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(
            [setting.name for setting in table()],
            [
                "port",
                "interface",
                "listen",
                "unix-mode",
                "unix-owner",
                "greeting",
                "backlog",
                "max-connections",
                "max-per-source",
                "accept-rate",
                "over-accept-rate",
                "idle",
                "lifetime",
                "write-stall",
                "drain",
                "udp",
                "udp-interface",
                "udp-privileged-sources",
                "udp-source-rate",
                "udp-rate",
                "reactor",
                "workers",
                "writes",
                "log-connections",
                "log-rate",
                "log-format",
            ],
        )

    def test_short_options_are_unique(self) -> None:
        shorts = [setting.short for setting in table() if setting.short]
        self.assertEqual(len(shorts), len(set(shorts)))
        self.assertNotIn("c", shorts, "that is --config")

    def test_every_default_is_allowed(self) -> None:
        for setting in table():
            if setting.default is not None:
                value = list(setting.default) if isinstance(setting.default, tuple) else setting.default
                self.assertEqual(setting.kind.from_toml(value), setting.default)

    def test_every_row_is_explained(self) -> None:
        for setting in table():
            self.assertRegex(setting.help, r"^[A-Z].*\.$")
            self.assertTrue(setting.shown_default)


class SettingsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        settings = Settings()
        self.assertEqual(settings.served_port, 8888)
        self.assertEqual(settings.greeting_bytes, b"Hello\n")
        self.assertEqual(settings.backlog, 1024)
        self.assertEqual(settings.reactor, "auto")
        self.assertTrue(settings.log_connections)

    def test_immutable(self) -> None:
        def change() -> None:
            Settings().port = 1  # type: ignore[misc]

        self.assertRaises(attrs.exceptions.FrozenInstanceError, change)

    def test_listen_takes_the_place_of_the_default_port_only(self) -> None:
        self.assertIsNone(Settings(listen=("tcp:1",)).served_port)
        self.assertEqual(Settings(listen=("tcp:1",), port=2).served_port, 2)
        self.assertEqual(Settings(port=0).served_port, 0)

    def test_greeting_in_utf8_with_the_bytes_that_a_command_line_may_hold(self) -> None:
        self.assertEqual(Settings(greeting="안녕\udcff").greeting_bytes, "안녕".encode() + b"\xff")


class JoinTests(SynchronousTestCase):
    def test_what_is_given_beats_the_default(self) -> None:
        settings = join({"port": Given(1, "--port"), "log-connections": Given(False, "x.toml:1")})
        self.assertEqual((settings.port, settings.log_connections, settings.backlog), (1, False, 1024))

    def test_interface_without_port_beside_listen(self) -> None:
        given = {"interface": Given("::1", "x.toml:3: interface"), "listen": Given(("tcp:1",), "--listen")}
        error = self.assertRaises(ConfigurationError, join, given)
        self.assertTrue(str(error).startswith("x.toml:3: interface: needs port, which listen replaces"))

    def test_interface_and_port_beside_listen(self) -> None:
        given = {"interface": Given("::1", "-"), "listen": Given(("tcp:1",), "-"), "port": Given(5, "-")}
        self.assertEqual(join(given).interface, "::1")
