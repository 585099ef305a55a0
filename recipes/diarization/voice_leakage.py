"""What the latents of a speech MS-VAE tell that they should not, and what they should.

python recipes/diarization/voice_leakage.py TRAIN TEST MODEL ...

TRAIN and TEST hold what `diarize prepare scenes` heard of recordings whose truth is known; MODEL is
a model.safetensors of a training. Streams are told the true speakers' voices. For each model:

  speaker of z    whether the mean of z_k(t) tells who talks: a linear classifier of the speakers of
                  a recording, of steps in which one talks alone, trained on the first half of what
                  each says and asked of the second; with the share that the commonest one has
  code found      whether the code of a voice by the first half of what he says is most like, of all
                  codes of TEST by the second halves, his own; and among those of his recording
  s, dB of code   whether the code tells on how much speech it rests, and how loud that was beside
                  the recording: a linear classifier of above or below the median, trained on TRAIN

Intervals are 95 %, by bootstrap over recordings; of each model but the first, the difference to the
first is told, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from diarize.corpora.chance import generator_of
from diarize.features.segmentation import HOP_S
from diarize.features.speaker import load_speaker_network
from diarize.inference.attribute import load_attributor
from diarize.inference.heard_files import FOLDER, read_heard
from diarize.inference.known_recording import KnownRecording
from diarize.inference.scenes import cast_of, scene
from diarize.inference.voices import frame_of_each
from diarize.models.msvae.speech.disentangle import talking_share
from diarize.scoring.bootstrap import N_RESAMPLES, ratio_interval
from diarize.scoring.latent_classes import probabilities

LEAST_S, MOST_S = 0.6, 20.0  # of speech in a place, as in training
DRAWS = 4  # of two places, of each speaker
LEAST_STEPS = 40  # a speaker says alone, for his steps to be told apart
PAUSE_S = 0.2


@dataclass
class Told:
    """Of one recording: steps of z and whose they are, codes of places and what is true of them."""

    latents: np.ndarray  # step, latent
    speaker: np.ndarray  # step
    codes: np.ndarray  # speaker, draw, place, character
    heard_s: np.ndarray  # speaker, draw, place
    level: np.ndarray  # the same: mean log power in the place, less the recording's


def told(model, known: KnownRecording, number: int, *, latents_too: bool) -> Told | None:
    """What is told of one recording, latents of steps if asked for; None if enough is heard of one
    speaker at most."""
    heard = known.known.heard
    voices, rows = known.true_voices
    if len(rows) < 2:
        return None
    told_s = np.array([len(known.alone(row)) * heard.voice_hop_s for row in rows])
    cast = cast_of(heard, voices, told_s)
    made = scene(heard, cast, 0, heard.n_frames, PAUSE_S)
    truth = known.truth(PAUSE_S)[rows].T.astype(np.int64)
    patterns = np.zeros((1, made.mel.shape[1], len(rows)), np.int64)
    patterns[0, : len(truth)] = truth
    made = replace(made, patterns=torch.from_numpy(patterns))
    share = talking_share(made)[0]
    alone = ((share == 1).sum(1) == 1) & (share.sum(1) == 1)
    speaker = share[alone].argmax(1)
    steps = torch.zeros(len(speaker), 0)
    with torch.inference_mode():
        if latents_too:
            latents = model.weigh(made).explanation.latents[0][alone]
            steps = latents[torch.arange(len(speaker)), speaker]
        places, heard_s, level = two_places(known, rows, number)
        codes = []
        for draw, side in np.ndindex(DRAWS, 2):
            codes.append(codes_of(model, made, places[:, draw, side], heard_s[:, draw, side]))
    return Told(
        steps.numpy(),
        speaker.numpy(),
        np.array(codes).reshape(DRAWS, 2, *codes[0].shape).transpose(2, 0, 1, 3),
        heard_s,
        level,
    )


def codes_of(model, made, profile, heard_s):
    """The code of each voice by one place."""
    view = replace(
        made, profile=torch.from_numpy(profile)[None], heard_s=torch.from_numpy(heard_s)[None]
    )
    return model.listener.voice_code(view)[0].numpy()


def two_places(known: KnownRecording, rows, number: int):
    """Voices in draws of two places of each speaker; nan where there are none."""
    heard = known.known.heard
    size = (len(rows), DRAWS, 2)
    voices = np.full((*size, known.speaker.dimension), np.nan, np.float32)
    heard_s, level = np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32)
    index = frame_of_each(len(heard.voice), heard.voice_hop_s, heard.n_frames)
    loudness = heard.mel.astype(np.float32).mean(1) - heard.typical.mean()
    for place, row in enumerate(rows):
        chance = generator_of(0, "two places", number, int(row))
        for draw in range(DRAWS):
            found = known.two_places(int(row), LEAST_S, MOST_S, chance)
            for side, frames in enumerate(found):
                statistic = torch.from_numpy(known.statistic(frames)[None])
                voices[place, draw, side] = known.speaker.embed(statistic).numpy()[0]
                heard_s[place, draw, side] = len(frames) * heard.voice_hop_s
                level[place, draw, side] = loudness[index[frames]].mean()
    return voices, heard_s, level


@dataclass(frozen=True)
class Rate:
    """How often something was told right in each recording, of how many times, and by chance."""

    right: list[float]
    total: list[float]
    chance: float

    @property
    def share(self) -> float:
        """Told right, of all recordings together."""
        return sum(self.right) / sum(self.total)

    def __str__(self) -> str:
        right, total = np.array(self.right), np.array(self.total)
        found = ratio_interval(right, total, np.random.default_rng(0))
        span = f" ({found.low:.3f}-{found.high:.3f})" if found else ""
        return f"{self.share:.3f}{span}   chance {self.chance:.3f}"

    def less(self, other: Rate) -> tuple[float, float, float]:
        """The share less another's of the same recordings, and 95 %: these are drawn for both."""
        changed, total = np.array(self.right) - np.array(other.right), np.array(self.total)
        draws = np.random.default_rng(0).multinomial(
            len(total), np.full(len(total), 1 / len(total)), size=N_RESAMPLES
        )
        low, high = np.quantile((draws @ changed) / (draws @ total), [0.025, 0.975])
        return float(changed.sum() / total.sum()), float(low), float(high)


def speakers_of_latents(recordings: list[Told]) -> Rate:
    """How often a step's latents tell who talks, and the share of the commonest speaker."""
    right, commonest, total = [], [], []
    for one in recordings:
        each = [np.flatnonzero(one.speaker == k) for k in np.unique(one.speaker)]
        halves = [np.array_split(steps, 2) for steps in each]
        halves = [half for half in halves if len(half[0]) >= LEAST_STEPS // 2]
        if len(halves) < 2:
            continue
        first, second = (np.concatenate([half[side] for half in halves]) for side in (0, 1))
        said = probabilities(
            one.latents[first], one.speaker[first], one.latents[second], standardise=True
        )
        classes, counts = np.unique(one.speaker[first], return_counts=True)
        right.append(float((classes[said.argmax(1)] == one.speaker[second]).sum()))
        commonest.append(float((one.speaker[second] == classes[counts.argmax()]).sum()))
        total.append(float(len(second)))
    return Rate(right, total, sum(commonest) / sum(total))


def codes_found(recordings: list[Told], *, anywhere: bool) -> Rate:
    """How often a code by one place is most like its own by the other, and how often by chance."""
    unit = [one.codes / np.linalg.norm(one.codes, axis=-1, keepdims=True) for one in recordings]
    right, total, chance = [], [], []
    for number, codes in enumerate(unit):
        hits = asked = by_chance = 0.0
        for draw in range(DRAWS):
            among = unit if anywhere else [codes]
            rivals = np.concatenate([one[:, draw, 1] for one in among])
            before = sum(len(one) for one in unit[:number]) if anywhere else 0
            there = np.isfinite(rivals).all(1)
            for place in range(len(codes)):
                if np.isfinite(codes[place, draw]).all():
                    alike = np.where(there, rivals @ codes[place, draw, 0], -np.inf)
                    hits += float(np.argmax(alike) == before + place)
                    by_chance += 1 / there.sum()
                    asked += 1
        right.append(hits)
        total.append(asked)
        chance.append(by_chance)
    return Rate(right, total, sum(chance) / sum(total))


def fact_of_codes(train: list[Told], test: list[Told], fact: str) -> Rate:
    """How often a code tells whether a fact of its place is above the median; chance."""
    middle = np.nanmedian(np.concatenate([getattr(one, fact).ravel() for one in train]))

    def rows(one: Told) -> tuple[np.ndarray, np.ndarray]:
        codes, values = one.codes.reshape(-1, one.codes.shape[-1]), getattr(one, fact).ravel()
        there = np.isfinite(values)
        return codes[there], (values[there] > middle).astype(int)

    known = [rows(one) for one in train]
    codes, classes = (np.concatenate([one[side] for one in known]) for side in (0, 1))
    asked = [rows(one) for one in test]
    right, total, ones = [], [], 0.0
    for some, truth in asked:
        said = probabilities(codes, classes, some, standardise=True).argmax(1)
        right.append(float((said == truth).sum()))
        total.append(float(len(truth)))
        ones += float(truth.sum())
    share = ones / sum(total)
    return Rate(right, total, max(share, 1 - share))


def gathered(model, folder: Path, speaker, *, latents_too: bool) -> list[Told]:
    """What is told of all recordings that were heard in a folder."""
    paths = sorted((folder / FOLDER).glob("*.safetensors"))
    if not paths:
        raise SystemExit(f"{folder / FOLDER}: nothing heard; run diarize prepare scenes first")
    found = []
    for number, path in enumerate(paths):
        known = KnownRecording(read_heard(path), speaker)
        found.append(told(model, known, number, latents_too=latents_too))
    return [one for one in found if one is not None]


def main() -> int:
    """Write some lines for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    speaker = load_speaker_network("campplus")
    first: dict[str, Rate] = {}
    for path in arguments.models:
        model = load_attributor(path)
        train = gathered(model, arguments.train, speaker, latents_too=False)
        test = gathered(model, arguments.test, speaker, latents_too=True)
        steps = sum(len(one.speaker) for one in test)
        seconds = f"{steps * 2 * HOP_S:.0f} s of one speaker alone"
        sys.stdout.write(f"{path}: {len(test)} recordings, {seconds}\n")
        rows = {
            "speaker of z": speakers_of_latents(test),
            "code found, in its recording": codes_found(test, anywhere=False),
            "code found, anywhere": codes_found(test, anywhere=True),
            "s of code": fact_of_codes(train, test, "heard_s"),
            "dB of code": fact_of_codes(train, test, "level"),
        }
        first = first or rows
        for name, rate in rows.items():
            change = ""
            if first is not rows:
                mean, low, high = rate.less(first[name])
                change = f"   to the first {mean:+.3f} ({low:+.3f} to {high:+.3f})"
            sys.stdout.write(f"  {name:30s} {rate}{change}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
