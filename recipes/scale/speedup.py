"""How much sooner N jobs are done than one: inference of 40 recordings of 30 s, a thread a job.

    python recipes/scale/speedup.py               two jobs against one, three rounds in turn
    python recipes/scale/speedup.py --nj 8 --rounds 5

Prints a line a round and the median of the ratios. Recordings are synthetic conversations, made
once in the folder of --work; what is loaded at the start counts. Run it on a machine that does
nothing else: rounds are taken in turn, but a neighbour that comes and goes still shows.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

from diarize.corpora.synthetic import synthetic_conversation

ROOT = Path(__file__).resolve().parents[2]


def make_recordings(folder: Path, n_recordings: int, length_s: float) -> Path:
    """Write a manifest of synthetic conversations, and return it; what is there is kept."""
    lines = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_recordings):
        audio = folder / f"r{number:03d}.flac"
        if not audio.exists():
            made = synthetic_conversation(number, length_s)
            soundfile.write(audio, made.samples, made.rate_hz)
        lines.append(json.dumps({"recording": audio.stem, "audio": audio.name}) + "\n")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(lines))
    return manifest


def infer_s(manifest: Path, n_jobs: int, work: Path) -> float:
    """Return the seconds that `n_jobs` jobs take for all recordings."""
    result = work / f"result.{n_jobs}"
    shutil.rmtree(result, ignore_errors=True)
    command = [sys.executable, "-m", "diarize.jobs", "--nj", str(n_jobs)]
    command += ["--log", str(work / f"{n_jobs}.{{job}}.log"), "--split", str(manifest), "--"]
    command += [sys.executable, "-m", "diarize", "infer", "{shard}", "-o", str(result)]
    began_s = time.monotonic()
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=os.environ | environment, check=True)
    return time.monotonic() - began_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nj", type=int, default=2, help="jobs (default: 2)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--recordings", type=int, default=40, help="default: 40")
    parser.add_argument("--length", type=float, default=30.0, metavar="S", help="default: 30")
    parser.add_argument("--work", type=Path, help="folder (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        manifest = make_recordings(work / "data", arguments.recordings, arguments.length)
        ratios = []
        for number in range(1, arguments.rounds + 1):
            one_s, many_s = infer_s(manifest, 1, work), infer_s(manifest, arguments.nj, work)
            ratios.append(one_s / many_s)
            sys.stdout.write(
                f"round {number}: --nj 1 {one_s:.1f} s, --nj {arguments.nj} {many_s:.1f} s, "
                f"{ratios[-1]:.2f} times\n"
            )
            sys.stdout.flush()
    load = os.getloadavg()[0]
    sys.stdout.write(f"median {statistics.median(ratios):.2f} times, load {load:.1f}\n")


if __name__ == "__main__":
    main()
