import json
from typing import Any

from OpenSSL.SSL import Error
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from echoproto import Echo, EchoFactory
from echoproto.server.counters import ENDINGS, MAX_ERROR_NAMES, OTHER_ERRORS, Counters, Snapshot, flat
from tests.support.transports import EchoTransport


class CountersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.counters = Counters()
        self.factory = EchoFactory(b"Hi", observers=[self.counters])

    def connect(self, **transport: Any) -> Echo:
        connection = self.factory.buildProtocol(None)
        made = EchoTransport()
        vars(made).update(transport)
        connection.makeConnection(made)
        return connection

    def closed(self, reason: Exception, **transport: Any) -> dict[str, int]:
        self.connect(**transport).connectionLost(Failure(reason))
        return dict(self.counters.snapshot(self.factory.connections).closed)

    def test_at_the_start(self) -> None:
        nothing: dict[str, int] = {}
        self.assertEqual(
            self.counters.snapshot(()),
            Snapshot(0, 0, nothing, nothing, 0, 0, 0, 0, nothing, nothing, 0, nothing),
        )

    def test_faults(self) -> None:
        """E10: even if another reason was about to end the connection."""
        connection = self.connect()
        connection.ended_by = "stop"
        connection.connectionLost(Failure(ZeroDivisionError()))
        connection = self.connect()
        connection.fault = Failure(MemoryError())
        connection.connectionLost(Failure(ConnectionAborted()))
        snapshot = self.counters.snapshot(self.factory.connections)
        self.assertEqual(snapshot.closed, {"error": 2})
        self.assertEqual(snapshot.errors, {"ZeroDivisionError": 1, "MemoryError": 1})

    def test_the_words_for_each_ending(self) -> None:
        """Scripts read the keys, as counters, and people the words, in the log: none may change unawares."""
        self.assertEqual(
            ENDINGS,
            {
                "peer": "closed by peer",
                "truncated": "closed by peer, without the end of TLS",
                "reset": "reset or lost",
                "idle": "closed here, idle for too long",
                "lifetime": "closed here, connected for too long",
                "write-stall": "aborted here, nothing could be sent for too long",
                "stop": "closed here, the service stops",
                "drain": "aborted here, the service stops and can't wait any longer",
                "error": "ended by an error",
                "worker": "lost with its worker",
                "abort": "aborted here",
            },
        )

    def test_they_add_up(self) -> None:
        connections = [self.connect() for _ in range(5)]
        for connection in connections[:3]:
            connection.connectionLost(Failure(ConnectionDone()))
        snapshot = self.counters.snapshot(self.factory.connections)
        self.assertEqual((snapshot.accepted, snapshot.active, sum(snapshot.closed.values())), (5, 2, 3))

    def test_by_why(self) -> None:
        self.assertEqual(self.closed(ConnectionDone()), {"peer": 1})
        self.assertEqual(self.closed(ConnectionLost()), {"peer": 1, "reset": 1})
        self.assertEqual(self.closed(ConnectionAborted()), {"peer": 1, "reset": 1, "abort": 1})

    def test_truncated(self) -> None:
        """S7: a FIN without close_notify."""
        self.assertEqual(self.closed(ConnectionLost(), truncated=True), {"truncated": 1})

    def test_what_has_ended_it_on_our_side(self) -> None:
        connection = self.connect()
        connection.ended_by = "idle"
        connection.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(self.counters.snapshot(()).closed, {"idle": 1})

    def test_errors(self) -> None:
        self.assertEqual(self.closed(ZeroDivisionError()), {"error": 1})
        self.assertEqual(self.counters.snapshot(()).errors, {"ZeroDivisionError": 1})

    def test_errors_of_tls(self) -> None:
        """S1: by OpenSSL's reason; peers choose among those, so that there is a greatest number of them."""
        self.closed(Error([("SSL routines", "", "http request")]))
        self.closed(Error([("SSL routines", "", "sslv3 alert certificate unknown")]))
        self.assertEqual(self.counters.snapshot(()).errors, {"http request": 1, "certificate unknown": 1})
        for number in range(2 * MAX_ERROR_NAMES):
            self.closed(Error([("SSL routines", "", f"reason {number}")]))
        self.closed(Error([("SSL routines", "", "http request")]))
        errors = self.counters.snapshot(()).errors
        self.assertEqual(len(errors), MAX_ERROR_NAMES + 1)
        self.assertEqual((MAX_ERROR_NAMES, OTHER_ERRORS), (100, "other errors"))
        self.assertEqual((errors["http request"], errors[OTHER_ERRORS]), (2, MAX_ERROR_NAMES + 2))

    def test_flat(self) -> None:
        self.assertEqual(
            flat({"accepted": 3, "closed": {"peer": 2, "idle": 1}}),
            {
                "accepted": 3,
                "closed.peer": 2,
                "closed.idle": 1,
            },
        )

    def test_bytes_of_those_that_are_connected_and_those_that_were(self) -> None:
        for size in (10, 20):
            connection = self.connect()
            connection.dataReceived(b"x" * size)
        connection.connectionLost(Failure(ConnectionDone()))
        snapshot = self.counters.snapshot(self.factory.connections)
        self.assertEqual((snapshot.bytes_received, snapshot.bytes_sent), (30, 34))

    def test_what_the_kernel_has_not_taken_is_not_sent(self) -> None:
        connection = self.connect(waiting=7)
        connection.dataReceived(b"x" * 10)
        self.assertEqual(self.counters.snapshot(self.factory.connections).bytes_sent, 5)
        connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.counters.snapshot(self.factory.connections).bytes_sent, 5)

    def test_what_tls_has_taken_is_sent(self) -> None:
        self.connect(waiting=27, encrypted=True)
        self.assertEqual(self.counters.snapshot(self.factory.connections).bytes_sent, 2)

    def test_datagrams_add_up(self) -> None:
        self.counters.datagrams_echoed = 7
        self.counters.datagrams_refused["source port 0"] += 2
        self.counters.datagrams_failed["EPERM"] += 1
        self.assertEqual(self.counters.snapshot(()).datagrams_received, 10)

    def test_datagrams_that_the_system_dropped_were_not_received(self) -> None:
        self.counters.datagrams_echoed = 7
        self.counters.datagrams_dropped = 5
        snapshot = self.counters.snapshot(())
        self.assertEqual((snapshot.datagrams_received, snapshot.datagrams_dropped), (7, 5))

    def test_a_snapshot_does_not_change(self) -> None:
        before = self.counters.snapshot(())
        self.counters.refused["max-connections"] += 1
        self.counters.errors["ENFILE"] += 1
        self.assertEqual((before.refused, before.errors), ({}, {}))
        self.assertRaises(TypeError, _set, before.refused)
        self.assertRaises(AttributeError, setattr, before, "accepted", 1)

    def test_json(self) -> None:
        self.closed(ConnectionDone())
        told = json.loads(json.dumps(self.counters.snapshot(()).as_dict()))
        self.assertEqual((told["accepted"], told["closed"], told["bytes_sent"]), (1, {"peer": 1}, 2))

    def test_each_ending_has_its_words(self) -> None:
        self.assertEqual(len(set(ENDINGS.values())), len(ENDINGS))

    def test_as_a_dictionary_and_back(self) -> None:
        connection = self.connect()
        connection.connectionLost(Failure(ConnectionDone()))
        snapshot = self.counters.snapshot(())
        self.assertEqual(Snapshot.from_dict(json.loads(json.dumps(snapshot.as_dict()))), snapshot)

    def test_sum(self) -> None:
        self.connect().connectionLost(Failure(ConnectionDone()))
        self.connect()
        snapshot = self.counters.snapshot(self.factory.connections)
        both = snapshot + snapshot
        self.assertEqual((both.accepted, both.active, both.closed, both.refused), (4, 2, {"peer": 2}, {}))

    def test_after_the_end_of_the_process(self) -> None:
        self.connect()
        lost = self.counters.snapshot(self.factory.connections).lost()
        self.assertEqual((lost.accepted, lost.active, lost.closed), (1, 0, {"worker": 1}))


def _set(mapping: Any) -> None:
    mapping["x"] = 1
