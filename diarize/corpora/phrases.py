"""A speaker's recordings cut into turns of a wanted length, at pauses, with their exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from diarize.audio.energy import SpeechRule, clearance_db, frame_levels_db, speech_spans
from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ, read_audio
from diarize.audio.mix import at_level
from diarize.audio.resample import resample

LEVEL_DBFS = -26.0  # the active level every utterance is brought to
MS = RATE_HZ // 1000  # turns are cut on whole milliseconds, the finest that RTTM tells
PAD_S = 0.05  # breath kept before and after a phrase, where the pause is that long
FADE_S = 0.005
STUB_S = 0.3  # what would be left of a phrase after a cut, if shorter, goes with the turn


CLEAR_DB = 22.0  # nearer than that to its background, an utterance's pauses cannot be told


class NoSpeech(Exception):
    """A speaker without any utterance that can be used."""


@dataclass(frozen=True)
class Spoken:
    """A stretch of one person's sound; `spans` are the start and end (s) of speech in it."""

    samples: Float32[np.ndarray, " time"]
    spans: tuple[tuple[float, float], ...]

    @property
    def duration_s(self) -> float:
        """How long the sound is."""
        return len(self.samples) / RATE_HZ


class Voice:
    """Gives one speaker's sound turn by turn; nothing twice until all has been used.

    Utterances whose background hides their pauses are left out, for their truth would be wrong.
    The others come in an order drawn from `generator`, each at the same active level. A `speed`
    other than 1 plays them faster or slower, which moves pitch and formants too.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        generator: np.random.Generator,
        rule: SpeechRule | None = None,
        speed: float = 1.0,
    ) -> None:
        self._speed = speed
        self._paths = list(paths)
        self._generator = generator
        self._rule = rule or SpeechRule()
        self._waiting: list[Path] = []
        self._spoken = Spoken(np.zeros(0, np.float32), ())
        self._at_s = 0.0

    def take(self, wanted_s: float) -> Spoken:
        """The next stretch of about `wanted_s` seconds, ending in a pause where one is near.

        Short utterances are joined by pauses of 0.15 to 0.4 s. It begins and ends with speech,
        but for a few hundredths of a second of breath.
        """
        pieces: list[Spoken] = []
        missing_s = wanted_s
        while missing_s > 0.4 * wanted_s:
            piece = self._piece(missing_s)
            if pieces:
                pause_s = round(self._generator.uniform(0.15, 0.4), 3)
                pieces.append(Spoken(np.zeros(to_samples(pause_s, RATE_HZ), np.float32), ()))
            pieces.append(piece)
            missing_s -= piece.duration_s
        return joined(pieces)

    def _piece(self, wanted_s: float) -> Spoken:
        """The next stretch of the current utterance, no longer than it needs to be."""
        ahead = [span for span in self._spoken.spans if span[1] > self._at_s + 1e-9]
        while not ahead:
            self._load()
            ahead = list(self._spoken.spans)
        start_s = max(ahead[0][0], self._at_s)
        goal_s = start_s + wanted_s
        end_s = next((end for _, end in ahead if end >= goal_s - 0.2 * wanted_s), ahead[-1][1])
        if end_s > goal_s + max(0.3 * wanted_s, STUB_S):
            cut_s = self._quietest_s(start_s + 0.7 * wanted_s, start_s + 1.3 * wanted_s)
            inside = [end for start, end in ahead if start < cut_s < end]
            if not inside or inside[0] - cut_s > STUB_S:
                end_s = cut_s
        self._at_s = end_s
        return self._excerpt(start_s, end_s)

    def _excerpt(self, start_s: float, end_s: float) -> Spoken:
        """Speech from `start_s` to `end_s` with its breath, faded, on whole milliseconds."""
        before = [end for _, end in self._spoken.spans if end <= start_s + 1e-9]
        after = [start for start, _ in self._spoken.spans if start >= end_s - 1e-9]
        cut_in = any(start < start_s - 1e-9 < end for start, end in self._spoken.spans)
        cut_out = any(start < end_s + 1e-9 < end for start, end in self._spoken.spans)
        gap_before_s = start_s - (before[-1] if before else 0.0)
        gap_after_s = (after[0] if after else self._spoken.duration_s) - end_s
        from_s = start_s if cut_in else start_s - min(PAD_S, gap_before_s / 2)
        to_s = end_s if cut_out else end_s + min(PAD_S, gap_after_s / 2)
        n_ms = min(round(to_s * 1000), len(self._spoken.samples) // MS)
        first, last = round(from_s * 1000) * MS, n_ms * MS
        samples = faded(self._spoken.samples[first:last])
        shift_s = first / RATE_HZ
        spans = tuple(
            (round(max(start, start_s) - shift_s, 3), round(min(end, end_s) - shift_s, 3))
            for start, end in self._spoken.spans
            if min(end, end_s) - max(start, start_s) > 1e-9
        )
        return Spoken(samples, spans)

    def _quietest_s(self, start_s: float, end_s: float) -> float:
        """The middle of the quietest 10 ms there."""
        first = to_samples(start_s, RATE_HZ)
        levels = frame_levels_db(self._spoken.samples[first : to_samples(end_s, RATE_HZ)], RATE_HZ)
        return round(start_s + 0.01 * int(np.argmin(levels)) + 0.005, 3) if len(levels) else end_s

    def can_speak(self) -> bool:
        """Whether any utterance holds speech that its level tells from the pauses."""
        if not self._spoken.spans:
            try:
                self._load()
            except NoSpeech:
                return False
        return True

    def _load(self) -> None:
        """Go on to the next utterance that holds speech, passing over noisy ones."""
        for _ in range(len(self._paths) + len(self._waiting)):
            if not self._waiting:
                order = self._generator.permutation(len(self._paths))
                self._waiting = [self._paths[i] for i in order]
            samples = read_audio(self._waiting.pop()).samples
            if self._speed != 1:
                samples = resample(samples, round(RATE_HZ * self._speed), RATE_HZ)
            spans = speech_spans(samples, RATE_HZ, self._rule)
            if spans and clearance_db(samples, RATE_HZ) >= CLEAR_DB:
                self._spoken = Spoken(at_level(samples, RATE_HZ, LEVEL_DBFS), tuple(spans))
                self._at_s = 0.0
                return
        raise NoSpeech(f"{self._paths[0]}: no clean speech in any utterance of this speaker")


def joined(pieces: Sequence[Spoken]) -> Spoken:
    """All pieces one after another."""
    starts = np.cumsum([0, *(len(piece.samples) for piece in pieces)])
    spans = tuple(
        (round(start + at / RATE_HZ, 3), round(end + at / RATE_HZ, 3))
        for piece, at in zip(pieces, starts[:-1].tolist(), strict=True)
        for start, end in piece.spans
    )
    return Spoken(np.concatenate([piece.samples for piece in pieces]), spans)


def faded(samples: Float32[np.ndarray, " time"]) -> Float32[np.ndarray, " time"]:
    """`samples` with both ends faded over 5 ms, so that no cut can be heard."""
    samples = samples.copy()
    n_fade = min(to_samples(FADE_S, RATE_HZ), len(samples) // 2)
    ramp = np.linspace(0, 1, n_fade + 2, dtype=np.float32)[1:-1]
    samples[:n_fade] *= ramp
    samples[len(samples) - n_fade :] *= ramp[::-1]
    return samples
