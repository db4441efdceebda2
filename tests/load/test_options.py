from attrs import evolve, fields
from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.load.options import Options, parse_aim, workload_for
from echoproto.load.target import parse_target
from echoproto.load.workload import Arrivals, Churn, Workload

TCP, TLS, UDP = (parse_target(f"{scheme}:localhost:7") for scheme in ("tcp", "tls", "udp"))
AIM = parse_aim("p99<2ms")


class OptionsTests(SynchronousTestCase):
    def test_defaults_are_those_of_a_workload(self) -> None:
        self.assertEqual(workload_for(TCP, Options()), Workload(target=TCP))

    def test_all_of_them(self) -> None:
        options = Options(
            connections=5,
            size=(1, 9),
            duration=3.0,
            warmup=0.5,
            idle=7,
            window=2,
            rate=9.5,
            arrivals="poisson",
            half_close=True,
            processes=2,
            greeting="Grüße\n",
            proxy="v2",
            seed=9,
            ca="ca.pem",
            server_pid=12,
        )
        expected = Workload(
            target=TLS,
            connections=5,
            smallest=1,
            largest=9,
            duration=3.0,
            count=None,
            warmup=0.5,
            idle=7,
            window=2,
            rate=9.5,
            arrivals=Arrivals.POISSON,
            churn=None,
            half_close=True,
            processes=2,
            greeting="Grüße\n".encode(),
            proxy=2,
            seed=9,
            verify=True,
            ca="ca.pem",
            server_pid=12,
        )
        self.assertEqual(workload_for(TLS, options), expected)

    def test_each_field_has_its_option(self) -> None:
        asked = {field.name for field in fields(Options)} - {"size", "insecure", "find_rate"}
        self.assertEqual({f.name for f in fields(Workload)} - {"target", "smallest", "largest", "verify"}, asked)

    def test_ends(self) -> None:
        def ends(**options: object) -> tuple[float | None, int | None]:
            workload = workload_for(TCP, evolve(Options(), **options))  # type: ignore[arg-type]
            return workload.duration, workload.count

        self.assertEqual(ends(), (10.0, None))
        self.assertEqual(ends(count=9), (None, 9))
        self.assertEqual(ends(duration=2.0), (2.0, None))
        self.assertEqual(ends(find_rate=AIM), (5.0, None))

    def test_others(self) -> None:
        self.assertIs(workload_for(TCP, Options(churn="fin", half_close=True)).churn, Churn.FIN)
        self.assertFalse(workload_for(TLS, Options(insecure=True)).verify)
        self.assertEqual(workload_for(TCP, Options(greeting="")).greeting, b"")
        self.assertEqual(workload_for(UDP, Options(size=(16, 65507))).largest, 65507)

    def test_contradictions(self) -> None:
        for target, options, named in (
            (TCP, Options(duration=1.0, count=1), "--duration and --count exclude each other"),
            (TCP, Options(duration=0.0), "--duration 0: must be greater than 0, for example"),
            (TCP, Options(rate=0.0), "--rate 0: must be from 0.001 to 1,000,000,000 messages per second"),
            (TCP, Options(rate=float("inf")), "--rate"),
            (TCP, Options(rate=float("nan")), "--rate"),
            (TCP, Options(arrivals="poisson"), "--arrivals"),
            (TCP, Options(find_rate=AIM, rate=1.0), "--find-rate"),
            (TCP, Options(find_rate=AIM, count=1), "--find-rate"),
            (TLS, Options(insecure=True, ca="x"), "--insecure"),
            (TCP, Options(insecure=True), "--insecure needs a TLS target, for example tls:localhost:8889"),
            (UDP, Options(ca="x"), "tls:"),
            (TCP, Options(churn="fin", window=2), "--window"),
            (TCP, Options(churn="reset", half_close=True), "--half-close"),
            (TCP, Options(processes=3, connections=2), "--processes 3: must not be more than --connections 2"),
            (TCP, Options(processes=3, count=2), "--processes"),
            (UDP, Options(churn="fin"), "--churn needs connections, and UDP has none"),
            (UDP, Options(half_close=True), "--half-close"),
            (UDP, Options(greeting="x"), "--greeting"),
            (UDP, Options(proxy="v1"), "--proxy"),
            (UDP, Options(idle=1), "--idle"),
            (UDP, Options(size=(15, 64)), "--size 15-64: over UDP, must be from 16 to 65507 bytes, for example"),
            (UDP, Options(size=(65508, 65508)), "--size 65508: "),
        ):
            error = self.assertRaises(ConfigurationError, workload_for, target, options)
            self.assertIn(named, str(error))
            self.assertEqual(len(str(error).splitlines()), 1)
