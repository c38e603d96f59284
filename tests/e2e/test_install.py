"""`cmake --install` under a prefix, and the programs from there."""

import subprocess
import unittest

from support import place


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = place.Scratch("install")
        cls.addClassCleanup(cls.scratch.remove)
        cls.prefix = cls.scratch / "prefix"
        done = subprocess.run(["cmake", "--install", place.build_directory(), "--prefix", cls.prefix], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def run_program(self, *command):
        return subprocess.run([self.prefix / command[0], *command[1:]], capture_output=True, text=True, timeout=60)

    def test_everything_is_there(self):
        for name in ("sbin/breakwaterd", "sbin/breakwater-agent", "sbin/breakwater-helper", "bin/breakwaterctl", "share/breakwater/conf/breakwater.conf",
                     "share/breakwater/scenarios/nhs-2016-a.storm", "share/breakwater/scenarios/bundestag-2012.storm",
                     "share/man/man8/breakwaterd.8", "share/man/man8/breakwater-agent.8",
                     "share/man/man8/breakwater-helper.8", "share/man/man1/breakwaterctl.1", "share/man/man5/breakwater.conf.5",
                     "share/doc/breakwater/README.md", "share/doc/breakwater/storm-runbook.md"):
            self.assertTrue((self.prefix / name).is_file(), name)

    def test_the_sample_configuration_is_good(self):
        done = self.run_program("sbin/breakwaterd", "-t", "-c", self.prefix / "share/breakwater/conf/breakwater.conf")
        self.assertEqual(0, done.returncode, done.stderr)

    def test_scenarios_are_found_by_name(self):
        done = self.run_program("bin/breakwaterctl", "simulate", "--scenario", "nhs-2016-a")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("held", done.stdout)

    def test_an_unknown_scenario_is_an_error_with_its_name(self):
        done = self.run_program("bin/breakwaterctl", "simulate", "--scenario", "nhs-1999")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("nhs-1999", done.stderr)
