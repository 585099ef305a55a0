"""Notes made sound by a soundfont: FluidSynth where Debian's program is there, or TinySoundFont.

Both give the same samples for the same notes whenever they are asked; what they give differs
between the two, which have other envelopes and, TinySoundFont, no reverberation.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import soundfile
from jaxtyping import Float

from diarize.corpora.instruments import DRUM_CHANNEL
from diarize.corpora.midi_song import Event, save_midi
from diarize.corpora.soundfont import DRUM_BANK, Preset
from diarize.errors import BadCall, BadFile

RATE_HZ = 44100  # of most samples in soundfonts
GAIN = 0.5
BANK = 0  # the controller that chooses one
TIMEOUT_S = 600
Name = Literal["auto", "fluidsynth", "tinysoundfont"]


@dataclass(frozen=True)
class Performance:
    """What one player plays: events, a preset, for how long, in what room (0: none, to 1)."""

    events: Sequence[Event]
    preset: Preset
    duration_s: float
    room: float = 0.0

    @property
    def channel(self) -> int:
        """Drums have a channel of their own."""
        return DRUM_CHANNEL if self.preset.bank == DRUM_BANK else 0

    def score(self) -> tuple[int, list[Event]]:
        """The channel and the events, after the choice of the preset."""
        chosen = [Event(0.0, "program", self.preset.number)]
        if self.preset.bank != DRUM_BANK:
            chosen.insert(0, Event(0.0, "control", BANK, self.preset.bank))
        return self.channel, [*chosen, *self.events]


@runtime_checkable
class Synthesizer(Protocol):
    """Plays performances."""

    name: str

    def play(self, performance: Performance) -> Float[np.ndarray, " time"]:
        """The sound of a performance, mono at 44.1 kHz, as long as it lasts."""
        ...


def synthesizer(name: Name = "auto") -> Synthesizer:
    """The synthesizer of that name; "auto" is FluidSynth if its program is there.

    Raises:
        BadCall: it is not installed; the message says how to get one.
    """
    program = shutil.which("fluidsynth")
    if name == "fluidsynth" or (name == "auto" and program):
        if program is None:
            raise BadCall("synthesizer = 'fluidsynth': not installed; apt-get install fluidsynth")
        return FluidSynth(program)
    try:
        import tinysoundfont  # noqa: F401
    except ImportError:
        raise BadCall(
            f"synthesizer = {name!r}: none installed; apt-get install fluidsynth, or "
            "pip install --no-deps tinysoundfont"
        ) from None
    return TinySoundFont()


class FluidSynth:
    """Debian's `fluidsynth`, run once for each performance."""

    name = "fluidsynth"

    def __init__(self, program: str) -> None:
        self.program = program

    def play(self, performance: Performance) -> Float[np.ndarray, " time"]:
        """The sound of a performance, mono at 44.1 kHz, as long as it lasts.

        Raises:
            BadFile: FluidSynth failed on the soundfont.
        """
        n_samples = round(performance.duration_s * RATE_HZ)
        with tempfile.TemporaryDirectory() as folder:
            score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
            path = performance.preset.path
            save_midi(score, [performance.score()], performance.duration_s)
            command = [self.program, "-niq", "-r", str(RATE_HZ), "-g", str(GAIN), "-C", "0"]
            command += ["-R", str(int(performance.room > 0))]
            command += ["-o", f"synth.reverb.room-size={performance.room:.3f}"]
            command += ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=512"]
            command += ["-T", "wav", "-O", "float", "-F", str(sound), str(path)]
            try:
                done = subprocess.run(
                    [*command, str(score)],
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=TIMEOUT_S,
                    check=False,
                )
                samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
            except (OSError, subprocess.TimeoutExpired, soundfile.LibsndfileError) as error:
                raise BadFile(f"{path}: fluidsynth cannot play it ({error})") from None
        if done.returncode or "fluidsynth: error" in done.stderr:  # it may play its own font then
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise BadFile(f"{path}: fluidsynth cannot play it ({said})")
        return _fitted(samples.mean(axis=1), n_samples)


class TinySoundFont:
    """The PyPI package `tinysoundfont`, which keeps the soundfont that it played last."""

    name = "tinysoundfont"

    def __init__(self) -> None:
        self._loaded: tuple[Path, Any, int] | None = None

    def play(self, performance: Performance) -> Float[np.ndarray, " time"]:
        """The sound of a performance, mono at 44.1 kHz, as long as it lasts; without a room.

        Raises:
            BadFile: TinySoundFont cannot load the soundfont.
        """
        synth, font = self._synth(performance.preset.path)
        channel, preset = performance.channel, performance.preset
        for controller in (120, 121):  # no sound, and the controllers as at first
            synth.control_change(channel, controller, 0)
        _generated(synth, RATE_HZ // 10)  # in which the last sound dies
        drums = preset.bank == DRUM_BANK
        synth.program_select(channel, font, preset.bank, preset.number, drums)
        pieces, now = [], 0
        n_samples = round(performance.duration_s * RATE_HZ)
        for event in performance.events:
            at = min(round(event.time_s * RATE_HZ), n_samples)
            if at > now:
                pieces.append(_generated(synth, at - now))
                now = at
            _send(synth, channel, event)
        pieces.append(_generated(synth, n_samples - now))
        return np.concatenate(pieces)

    def _synth(self, path: Path) -> tuple[Any, int]:
        import tinysoundfont

        if self._loaded is None or self._loaded[0] != path:
            synth = tinysoundfont.Synth(gain=0, samplerate=RATE_HZ)
            try:
                self._loaded = path, synth, synth.sfload(str(path))
            except Exception as error:  # the package has no error of its own
                raise BadFile(f"{path}: tinysoundfont cannot load it ({error})") from None
        return self._loaded[1], self._loaded[2]


def _generated(synth: Any, n_samples: int) -> Float[np.ndarray, " time"]:
    """The next samples, mono."""
    if not n_samples:
        return np.zeros(0, np.float32)
    both = np.frombuffer(bytes(synth.generate(n_samples)), np.float32).reshape(-1, 2)
    return both.mean(axis=1)


def _send(synth: Any, channel: int, event: Event) -> None:
    if event.kind == "on":
        synth.noteon(channel, event.first, event.second)
    elif event.kind == "off":
        synth.noteoff(channel, event.first)
    elif event.kind == "control":
        synth.control_change(channel, event.first, event.second)
    elif event.kind == "bend":
        synth.pitchbend(channel, event.first + 8192)


def _fitted(samples: Float[np.ndarray, " heard"], n_samples: int) -> Float[np.ndarray, " time"]:
    """The first `n_samples`, silence added where there are fewer."""
    missing = max(n_samples - len(samples), 0)
    return np.pad(samples[:n_samples], (0, missing)).astype(np.float32)
