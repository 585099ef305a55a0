"""A checkout with spaces in its path, whose Python notes what it is asked to do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

STUB = """#!/usr/bin/env bash
# notes each call, one JSON array of words a line; settings are read by the real thing,
# and an environment it is told to make holds only itself again
if [[ "$1 $2 $3" == "-m diarize conf" ]]; then
  PYTHONPATH={root} exec {python} -S "$@"
fi
if [[ "$1 $2" == "-m venv" ]]; then
  mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
fi
{python} -S -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "$@" >> {notes}
"""

RUN = """#!/usr/bin/env bash
# A recipe for the tests.

conf=conf/default.toml
family=toy
. "$(dirname "${BASH_SOURCE[0]}")/../../recipes/stages.sh" "$@"
stage 0 fetch tiny
stage 4 infer
stage 5 score
show "$exp/score.txt"
where result "$exp/result"
"""

SCRIPTS = {
    "0_fetch.sh": 'echo "fetched $1" | tee -a "$exp/happened" > "$data/audio"',
    "toy/4_infer.sh": """resumable "$exp/result"
mkdir -p "$exp/result"
for one in a b; do
  [[ ! -e $exp/result/$one ]] || continue
  echo "inferred $one" >> "$exp/happened"
  cp "$data/audio" "$exp/result/$one"
  if [[ -e $exp/stop ]]; then touch "$exp/stopped"; sleep 30; fi
done""",
    "5_score.sh": """echo scored >> "$exp/happened"
[[ ! -e $exp/bad ]] || { for i in {1..30}; do echo "line $i"; done; exit 7; }
echo "a table" > "$exp/score.txt\"""",
}


@dataclass(frozen=True)
class Recipe:
    """One eg in a checkout of its own, and the ways to run it."""

    folder: Path
    python: Path

    @property
    def exp(self):
        return self.folder / "exp" / "default"

    def start(self, *words, **options):
        return subprocess.Popen(
            ["bash", str(self.folder / "run.sh"), *words],
            env=os.environ | {"DIARIZE_PYTHON": str(self.python)},
            cwd="/",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # as a terminal would: Ctrl-C reaches all of it
            **options,
        )

    def run(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def happened(self):
        """What the stages did since this was last asked."""
        path = self.exp / "happened"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def start_halfway(self):
        """A run that stays where its first recording is done."""
        self.exp.mkdir(parents=True, exist_ok=True)
        (self.exp / "stop").touch()
        process = self.start()
        wait_for(self.exp / "stopped")
        return process

    def end(self, process, number):
        """Signal the whole group of a run that stays halfway; give the rest of its output."""
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=90)
        (self.exp / "stop").unlink()
        (self.exp / "stopped").unlink()
        return out, err

    def stop_in_the_middle(self, number=signal.SIGINT):
        """Run until the first recording is done, then signal the whole group; give the rest."""
        process = self.start_halfway()
        out, err = self.end(process, number)
        return subprocess.CompletedProcess((), process.returncode, out, err)

    def settings(self, text):
        (self.folder / "conf" / "default.toml").write_text(text)


def wait_for(path, limit_s=60):
    deadline_s = time.monotonic() + limit_s
    while not path.exists():
        assert time.monotonic() < deadline_s, f"{path} never came"
        time.sleep(0.01)


@pytest.fixture
def stub(tmp_path):
    """A Python that only notes its calls, and the file it notes them in."""
    path, notes = tmp_path / "stub python", tmp_path / "notes"
    path.write_text(STUB.format(root=f"'{ROOT}'", python=f"'{sys.executable}'", notes=f"'{notes}'"))
    path.chmod(0o755)
    notes.touch()
    return path, notes


@pytest.fixture
def recipe(tmp_path, stub):
    """A three-stage recipe in a checkout of its own."""
    root = tmp_path / "a check out"
    folder = root / "egs" / "toy eg"
    (folder / "conf").mkdir(parents=True)
    (root / "recipes" / "toy").mkdir(parents=True)
    shutil.copy(ROOT / "recipes" / "stages.sh", root / "recipes")
    for name, text in SCRIPTS.items():
        (root / "recipes" / name).write_text("set -euo pipefail\n" + text + "\n")
    (folder / "run.sh").write_text(RUN)
    (folder / "conf" / "default.toml").write_text("[infer]\n[score]\n")
    return Recipe(folder, stub[0])
