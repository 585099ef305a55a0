"""Stage 4: every system on every recording, in turn, for several rounds.

All runners are started first and kept alive. Each round asks them recording by recording, A B C
A B C, and the next round begins with another system, so that whatever else the machine does falls
on all of them alike. The turns of the first round are the result; later rounds are timed, compared.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import save_machine
from systems import Runner, find_systems
from timing import Timing, realtime_factor, save_timing

from diarize.config import load
from diarize.errors import BadFile, DiarizeError
from diarize.formats.manifest import Recording, read_manifest

log = logging.getLogger("compare")


@dataclass(frozen=True)
class Settings:
    """The [infer] table: which systems, how often, on how many threads."""

    systems: tuple[str, ...] = ("ours", "ours_cluster", "senko", "pyannote")
    rounds: int = 3
    threads: int = 2

    def __post_init__(self) -> None:
        if not self.systems or self.rounds < 1 or self.threads < 1:
            raise ValueError("systems, rounds and threads must be at least one each")


@dataclass
class Notes:
    """What is gathered of one system while the rounds go on."""

    first_s: float = float("nan")
    peak_rss_mib: float = 0.0
    rounds: list[dict[str, float]] = field(default_factory=list)
    turns: dict[str, list[Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def take(self, recording: str, answer: dict[str, Any]) -> None:
        """Note one timed answer of the current round."""
        self.peak_rss_mib = max(self.peak_rss_mib, answer["peak_rss_mib"])
        if answer["event"] == "failed":
            self.failures[recording] = answer["error"]
            return
        self.rounds[-1][recording] = answer["elapsed_s"]
        if self.turns.setdefault(recording, answer["turns"]) != answer["turns"]:
            self.changed.add(recording)


def order(names: Sequence[str], number: int) -> list[str]:
    """Return who is asked first, second, ... in round `number`.

    >>> order(["a", "b", "c"], 1)
    ['b', 'c', 'a']
    """
    at = number % len(names)
    return [*names[at:], *names[:at]]


def measure(
    runners: dict[str, Runner], recordings: Sequence[Recording], rounds: int
) -> dict[str, Notes]:
    """Warm every runner up on the first recording, then ask all of them in turn, `rounds` times."""
    notes = {name: Notes() for name in runners}
    for name, runner in runners.items():
        answer = runner.diarize(recordings[0].audio)
        notes[name].first_s = answer.get("elapsed_s", float("nan"))
    for number in range(rounds):
        for each in notes.values():
            each.rounds.append({})
        for recording in recordings:
            for name in order(list(runners), number):
                answer = runners[name].diarize(recording.audio)
                notes[name].take(recording.recording, answer)
        log.info("round %d of %d", number + 1, rounds)
    return notes


def save_turns(folder: Path, recordings: Sequence[Recording], notes: Notes) -> None:
    """Write one RTTM a recording; one that failed gets an empty file: nobody was found."""
    from pyannote.core import Annotation, Segment

    from diarize.formats.rttm import save_rttm

    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.rttm"):
        stale.unlink()
    for recording in recordings:
        annotation = Annotation(uri=recording.recording)
        for track, (start_s, end_s, speaker) in enumerate(notes.turns.get(recording.recording, [])):
            # a peer may begin a turn a hair before the recording does
            annotation[Segment(max(0.0, start_s), end_s), track] = speaker
        save_rttm(folder / f"{recording.recording}.rttm", {recording.recording: annotation})


def run(manifest: Path, exp: Path, environments: Path, settings: Settings) -> list[Timing]:
    """Compare the systems of `settings`; write EXP/SYSTEM/result/ and EXP/SYSTEM/timing.json."""
    recordings = read_manifest(manifest)
    if not recordings:
        raise BadFile(f"{manifest}: no recordings in it; one JSON line each would be right")
    audio_s = {one.recording: one.duration_s or 0.0 for one in recordings}
    systems = find_systems(settings.systems, environments)
    for stale in exp.glob("*/timing.json"):  # so that no later stage takes up an older run
        stale.unlink()
    timings = []
    with contextlib.ExitStack() as stack:
        runners = {}
        for system in systems:
            path = exp / "log" / f"4_infer.{system.name}.log"
            runner = Runner(system, settings.threads, path)
            stack.callback(runner.close)
            runners[system.name] = runner
            log.info("%s: ready after %.1f s", system.name, runner.start_s)
        for name, notes in measure(runners, recordings, settings.rounds).items():
            timing = Timing(
                system=name,
                versions=dict(runners[name].versions),
                threads=settings.threads,
                start_s=runners[name].start_s,
                first_s=notes.first_s,
                peak_rss_mib=notes.peak_rss_mib,
                audio_s=audio_s,
                rounds=notes.rounds,
                failures=notes.failures,
                changed=sorted(notes.changed),
            )
            save_turns(exp / name / "result", recordings, notes)
            save_timing(exp / name / "timing.json", timing)
            timings.append(timing)
    save_machine(exp / "machine.json", [one.audio for one in recordings])
    return timings


def main(argv: Sequence[str] | None = None) -> int:
    """Run stage 4; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="16 kHz mono 16-bit wavs, from prepare.py")
    parser.add_argument("--conf", type=Path, required=True, help="its [infer] table is read")
    parser.add_argument("--exp", type=Path, required=True, help="where results go")
    parser.add_argument("--environments", type=Path, default=Path("env"), help="a folder a peer")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = load(Settings, arguments.conf, "infer")
        timings = run(arguments.manifest, arguments.exp, arguments.environments, settings)
    except DiarizeError as error:
        log.error("compare.py: %s", error)
        return error.exit_code
    for timing in timings:
        log.info("%s: real-time factor %s", timing.system, realtime_factor(timing))
        for recording, reason in timing.failures.items():
            log.warning("%s could not do %s: %s", timing.system, recording, reason)
    return 0


if __name__ == "__main__":
    sys.exit(main())
