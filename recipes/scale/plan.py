"""What it costs to plan: manifest, shards, done-marks, and the memory of who sends the jobs.

    python recipes/scale/plan.py                       1,000 and 100,000 recordings, 100 jobs
    python recipes/scale/plan.py --recordings 1000000

The stages of egs/mini up to inference run for real but for what they do: a stand-in for Python
does nothing where `diarize VERB` is asked for. Then every recording has a result, and two jobs with
their networks find it done.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from diarize.formats.manifest import Recording, write_manifest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """#!/usr/bin/env bash
if [[ "$1 $2" == "-m diarize" && $3 != conf ]]; then exit 0; fi
exec {python} "$@"
"""
# a process of its own, for a process counts what the one had that it was forked from
GAUGE = """
import os, sys
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Cost(NamedTuple):
    """Seconds by the clock and of the processor, and the most memory that one process had."""

    clock_s: float
    processor_s: float
    memory_mb: float

    def __str__(self) -> str:
        return f"{self.clock_s:.1f} s ({self.processor_s:.1f} s of processor)"


def cost_of(command: list[str], **environment: str) -> Cost:
    """Run a command and return what it and its children took."""
    began_s = time.monotonic()
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", GAUGE, *command],
        env=surroundings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command[0]}: exit {done.returncode}\n{done.stderr}")
    memory_kb, processor_s = done.stderr.splitlines()[-1].split()
    return Cost(time.monotonic() - began_s, float(processor_s), int(memory_kb) / 1024)


def measure(n_recordings: int, n_jobs: int, work: Path) -> None:
    """Print what planning so many recordings takes."""
    data, exp = work / "data", work / "exp"
    data.mkdir(parents=True)
    began_s, worked_s = time.monotonic(), time.process_time()
    recordings = (
        Recording(f"r{number:07d}", data / "audio" / f"r{number:07d}.flac", duration_s=3600.0)
        for number in range(n_recordings)
    )
    write_manifest(data / "manifest.jsonl", recordings)
    written = Cost(time.monotonic() - began_s, time.process_time() - worked_s, 0.0)
    split = ["--nj", str(n_jobs), "--split", str(data / "manifest.jsonl")]
    jobs = [sys.executable, "-m", "diarize.jobs", *split, "--log", str(work / "log.{job}"), "--"]
    shards = cost_of([*jobs, "true"])
    stand_in = work / "python"
    stand_in.write_text(STAND_IN.format(python=sys.executable))
    stand_in.chmod(0o755)
    command = ["bash", str(ROOT / "egs" / "mini" / "run.sh"), "--stop-stage", "4"]
    command += ["--data", str(data), "--exp", str(exp), "--nj", str(n_jobs)]
    stages = cost_of(command, DIARIZE_PYTHON=str(stand_in))
    again = cost_of(command, DIARIZE_PYTHON=str(stand_in))
    result = exp / "result"
    result.mkdir(parents=True, exist_ok=True)
    for number in range(n_recordings):
        (result / f"r{number:07d}.rttm").touch()
    jobs[jobs.index("--nj") + 1] = "2"
    infer = [sys.executable, "-m", "diarize", "infer", "{shard}", "-o", str(result)]
    resumed = cost_of([*jobs, *infer])
    sys.stdout.write(
        f"{n_recordings:,} recordings\n"
        f"  manifest written              {written}\n"
        f"  {n_jobs} shards, empty jobs       {shards}, {shards.memory_mb:.0f} MB at most\n"
        f"  stages 0 to 4, empty jobs     {stages}\n"
        f"  those stages found done       {again}\n"
        f"  each recording found done     {resumed}, by two jobs that load their networks\n"
    )
    sys.stdout.flush()


def main() -> None:
    """Measure and print a line for each number of recordings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--nj", type=int, default=100, help="default: 100")
    arguments = parser.parse_args()
    for n_recordings in arguments.recordings:
        with tempfile.TemporaryDirectory() as work:
            measure(n_recordings, arguments.nj, Path(work))


if __name__ == "__main__":
    main()
