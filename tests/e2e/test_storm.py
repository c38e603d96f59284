"""The storm of `make demo`, with the figures of issue and guide."""

import io
import os
import contextlib
import sys
import unittest
from unittest import mock

from support import place

sys.path.insert(0, str(place.ROOT / "tests" / "demo"))
import demo  # noqa: E402


class Storm(unittest.TestCase):
    def play(self, **variables):
        """The demo's exit status and its closing line as a dict."""
        output = io.StringIO()
        with mock.patch.dict(os.environ, variables), contextlib.redirect_stdout(output):
            status = demo.main()
        closing = output.getvalue().splitlines()[-1]
        self.assertEqual(0, status, output.getvalue())
        self.assertTrue(closing.startswith("demo: "), closing)
        return {name: int(value) for name, value in (pair.split("=") for pair in closing[6:].split())}

    def test_840_000_members_80_repliers(self):
        self.assertEqual({"posts": 81, "deliveries_without": 81 * 840000, "deliveries_with": 840000, "held": 80, "rejected": 0,
                          "first_trip_ordinal": 1}, self.play())

    def test_two_mtas_and_one_redis(self):
        self.assertEqual({"posts": 81, "deliveries_without": 81 * 840000, "deliveries_with": 840000, "held": 80, "rejected": 0,
                          "first_trip_ordinal": 1}, self.play(STORE="redis"))

    def test_123_456_members_37_repliers(self):
        self.assertEqual({"posts": 38, "deliveries_without": 38 * 123456, "deliveries_with": 4 * 123456, "held": 34,
                          "rejected": 0, "first_trip_ordinal": 4}, self.play(SIZE="123456", REPLIERS="37"))

    def test_usage(self):
        with contextlib.redirect_stderr(io.StringIO()):
            with mock.patch.dict(os.environ, SIZE="many"), self.assertRaises(SystemExit) as left:
                demo.main()
            self.assertEqual(2, left.exception.code)
            with mock.patch.dict(os.environ, STORE="punchcards"):
                self.assertEqual(2, demo.main())
