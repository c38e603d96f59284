"""The dialogues written for miltertest, another implementation of the MTA's side than ours."""

import subprocess
from pathlib import Path

from .base import Case

SCRIPTS = sorted(Path(__file__).parent.glob("*.lua"))


class Lua(Case):
    def play(self, script):
        breakwater = self.started()
        done = subprocess.run(["miltertest", "-D", f"socket=unix:{breakwater.socket}", "-s", script],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr + breakwater.log_text()[-1500:])
        self.assertIn("played to the end", done.stdout)


def _test_of(script):
    return lambda self: self.play(script)


for _script in SCRIPTS:
    setattr(Lua, f"test_{_script.stem.replace('-', '_')}", _test_of(_script))
