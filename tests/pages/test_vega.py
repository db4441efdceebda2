import struct

from twisted.trial.unittest import SynchronousTestCase

from echoproto.pages import vega

SPECIFICATION = {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x"}}, "width": 70}


class VegaTests(SynchronousTestCase):
    def test_svg(self) -> None:
        self.assertTrue(vega.svg(SPECIFICATION).startswith("<svg"))

    def test_png(self) -> None:
        """Twice as large as it is drawn."""
        data = vega.png(SPECIFICATION)
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(struct.unpack(">I", data[16:20])[0], 140)

    def test_nothing_is_loaded(self) -> None:
        elsewhere = {**SPECIFICATION, "data": {"url": "http://elsewhere.invalid/a.json"}}
        self.assertRaises(ValueError, vega.svg, elsewhere)

    def test_script(self) -> None:
        script = vega.script()
        self.assertIn("application/json", script)
        self.assertGreater(len(script), 100_000)
        self.assertTrue(vega.with_version(SPECIFICATION)["$schema"].endswith(f"/v{vega.VERSION}.json"))
