"""Who talks in each frame, by the speech MS-VAE: voices are tried, and those kept that talk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from diarize.config import at_most
from diarize.errors import BadCall, BadFile
from diarize.features.segmentation import HOP_S
from diarize.inference.cluster import SpeakerBounds, SpeakerSet
from diarize.inference.counting import (
    CountEvidence,
    CountSettings,
    evidence,
    number_posterior,
    sets_to_try,
)
from diarize.inference.hearing import AROUND_HOP_S, Heard
from diarize.inference.scenes import Cast, cast_of, scene, together
from diarize.layers.markov import smoothed, switching
from diarize.models.msvae.speech.model import SpeechMSVAE
from diarize.training.shipped import load_model
from diarize.weights import find_weights

MOST_IN_BLOCK = 6  # of a large cast, those who may talk in a block
BLOCKS_AT_ONCE = 2
FINER_SETS = 2  # that are tried, of finer groups
SHARPNESS = 10.0  # of a cosine, in choosing them


@dataclass(frozen=True)
class AttributorSettings:
    """How a recording is attributed.

    Attributes:
        pause_s: pauses of one speaker shorter than this count as speech.
        window_weight: of what the segmentation's windows say of each speaker, beside the model. The
            windows learned on real meetings, the model on simulated ones.
        least_speech: where P(anyone talks) is below that, for the segmentation, nobody does.
        counting: how it is judged how many people there are.
        unexplained: share of all speech. Where the most probable set leaves more than that to
            nobody, and there is no larger set than was tried, sets of finer groups are tried too.
        block_s: attributed at once.
        margin_s: heard besides before and after.
        mean_on_s, mean_off_s: how long a speaker talks, and does not, in the chain that smooths
            his frames; 0 leaves frames as they are.
        passes: how often voices are taken anew from what was found (`inference.adaptation`).
    """

    pause_s: float = 0.2
    window_weight: float = 0.4
    least_speech: float = 0.05
    counting: CountSettings = field(default_factory=CountSettings)
    unexplained: float = 0.25
    block_s: float = 25.0
    margin_s: float = 5.0
    mean_on_s: float = 0.0
    mean_off_s: float = 0.0
    passes: int = 0

    def __post_init__(self) -> None:
        if not self.block_s > 0 or not self.margin_s >= 0:
            raise BadCall(
                f"block_s = {self.block_s}, margin_s = {self.margin_s}; above 0, and 0 or more"
            )
        at_most(self, window_weight=1, least_speech=1, unexplained=1)
        if self.passes < 0:
            raise BadCall(f"passes = {self.passes}; 0 or more would be right")
        for name in ("mean_on_s", "mean_off_s"):
            if getattr(self, name) and not getattr(self, name) > HOP_S:
                raise BadCall(f"{name} = {getattr(self, name)}; 0, or above {HOP_S}, is wanted")


@dataclass(frozen=True)
class Attributed:
    """Who talks in a recording, and how sure that is.

    Attributes:
        cast: those who do.
        presence: q(speaker talks | recording) of each frame.
        speaker_counts: how probable each number of people in the recording is.
    """

    cast: Cast
    presence: Float[np.ndarray, "speaker frame"]
    speaker_counts: Mapping[int, float] = field(default_factory=dict)


def load_attributor(path: Path | None = None, device: str = "cpu") -> SpeechMSVAE:
    """The speech MS-VAE with its trained weights, those that ship or those of `path`.

    Raises:
        MissingWeights: none ship and no path is given.
        BadFile: the file holds something else, or weights that this version cannot use.
    """
    path = find_weights("attributor", path)
    model: object = load_model(path)
    if not isinstance(model, SpeechMSVAE):
        raise BadFile(f"{path}: weights of a {type(model).__name__}; a SpeechMSVAE is wanted")
    return model.to(device)


def attribute(
    model: SpeechMSVAE,
    heard: Heard,
    sets: Sequence[SpeakerSet],
    settings: AttributorSettings,
    bounds: SpeakerBounds,
    progress: Callable[[float], None] | None = None,
    finer: Callable[[], Sequence[SpeakerSet]] | None = None,
) -> Attributed:
    """Who talks when, and how many people there are.

    Of `sets` of voices, from one on, those around the number of people that there seem to be are
    tried, each by itself; what comes of it tells how probable that number is, and the most probable
    one is taken. Without sets there is nobody. Two people who sound alike to a linkage are one in
    all of `sets`, and half of what is said is then nobody's: for those, `finer` makes more sets.
    """
    tried = list(try_sets(model, heard, sets, settings, bounds, progress))
    if not tried:
        if progress is not None:
            progress(1.0)
        nobody = np.zeros((0, heard.around.shape[2]), np.float32)
        silence = np.zeros((0, heard.n_frames), np.float32)
        return Attributed(cast_of(heard, nobody, np.zeros(0)), silence, {0: 1.0})
    best = _most_probable(tried, settings)
    lacks = best.evidence.unexplained > settings.unexplained
    if finer and lacks and len(tried[-1].attributed.cast) == len(sets):
        larger = [one for one in finer() if len(sets) < len(one) <= bounds.most][:FINER_SETS]
        tried = _tried_besides(model, heard, sets, larger, tried, settings)
        best = _most_probable(tried, settings)
    return best.attributed


def _tried_besides(
    model: SpeechMSVAE,
    heard: Heard,
    sets: Sequence[SpeakerSet],
    larger: Sequence[SpeakerSet],
    tried: Sequence[Tried],
    settings: AttributorSettings,
) -> list[Tried]:
    """What was tried of `sets`, and `larger` ones, all judged as one path from one voice on."""
    casts = [cast_of(heard, one.voice, one.talk_s) for one in larger]
    found = [one.attributed for one in tried]
    found += [attribute_cast(model, heard, cast, settings) for cast in casts]
    path = [*sets, *larger]
    return [
        Tried(one, evidence(path, len(one.cast) - 1, one.cast, one.presence, heard.speech))
        for one in found
    ]


def _most_probable(tried: Sequence[Tried], settings: AttributorSettings) -> Tried:
    """The set that is most likely to be all the people, told how probable each number is."""
    by_size = {len(one.attributed.cast): one for one in tried}
    found = {size: one.evidence for size, one in by_size.items()}
    counts = number_posterior(found, settings.counting)
    best = by_size[max(counts, key=lambda size: counts[size])]
    return replace(best, attributed=replace(best.attributed, speaker_counts=counts))


@dataclass(frozen=True)
class Tried:
    """Who of a set of voices talks when, and what speaks for these to be all the people."""

    attributed: Attributed
    evidence: CountEvidence


def try_sets(
    model: SpeechMSVAE,
    heard: Heard,
    sets: Sequence[SpeakerSet],
    settings: AttributorSettings,
    bounds: SpeakerBounds,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Tried]:
    """Each set around the number of people that there seem to be, attributed by itself."""
    tell = progress or (lambda share: None)
    chosen = sets_to_try(sets, bounds)
    for number, which in enumerate(chosen):
        cast = cast_of(heard, sets[which].voice, sets[which].talk_s)
        part = _part(tell, number, len(chosen))
        made = attribute_cast(model, heard, cast, settings, part)
        yield Tried(made, evidence(sets, which, cast, made.presence, heard.speech))


def _part(tell: Callable[[float], None], number: int, of: int) -> Callable[[float], None]:
    """Tells the share of the whole, given the share of part `number`, from 0, of so many."""
    return lambda share: tell((number + share) / of)


def attribute_cast(
    model: SpeechMSVAE,
    heard: Heard,
    cast: Cast,
    settings: AttributorSettings,
    progress: Callable[[float], None] | None = None,
) -> Attributed:
    """Who of a cast talks when, whether or not all do."""
    presence = np.zeros((len(cast), heard.n_frames), dtype=np.float32)
    if not len(cast):
        return Attributed(cast, presence)
    blocks = list(_blocks(heard, cast, settings))
    for first in range(0, len(blocks), BLOCKS_AT_ONCE):
        some = blocks[first : first + BLOCKS_AT_ONCE]
        _attribute_blocks(model, heard, cast, settings, some, presence)
        if progress is not None:
            progress((first + len(some)) / len(blocks))
    presence += settings.window_weight * (cast.local - presence)
    presence *= heard.speech >= settings.least_speech
    return Attributed(cast, presence)


@dataclass(frozen=True)
class _Block:
    """Frames `first` to `end` are asked for; `from_` to `to` are heard."""

    first: int
    end: int
    from_: int
    to: int
    speakers: Int[np.ndarray, " some"]


def _blocks(heard: Heard, cast: Cast, settings: AttributorSettings) -> Iterator[_Block]:
    n_frames = heard.n_frames
    n_blocks = max(1, round(n_frames * HOP_S / settings.block_s))
    edges = np.linspace(0, n_frames, n_blocks + 1).round().astype(int)
    margin = round(settings.margin_s / HOP_S)
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        from_, to = max(0, first - margin), min(n_frames, end + margin)
        yield _Block(first, end, from_, to, _likeliest(heard, cast, from_, to))


def _likeliest(heard: Heard, cast: Cast, first: int, end: int) -> Int[np.ndarray, " some"]:
    """Who of a large cast may talk there: by the windows, and by the voices around."""
    if len(cast) <= MOST_IN_BLOCK:
        return np.arange(len(cast))
    low, high = (round(frame * HOP_S / AROUND_HOP_S) for frame in (first, end))
    around = heard.around[1, low : max(high, low + 1)].astype(np.float32)
    there = around.any(axis=1, keepdims=True)
    alike = SHARPNESS * around @ cast.profile.T
    odds = np.exp(alike - alike.max(axis=1, keepdims=True)) * there
    by_voice = (odds / odds.sum(axis=1, keepdims=True).clip(1e-9)).sum(axis=0) * AROUND_HOP_S
    by_window = cast.local[:, first:end].sum(axis=1) * HOP_S
    return np.sort(np.argsort(-(by_voice + by_window), kind="stable")[:MOST_IN_BLOCK])


def _attribute_blocks(
    model: SpeechMSVAE,
    heard: Heard,
    cast: Cast,
    settings: AttributorSettings,
    blocks: list[_Block],
    presence: Float[np.ndarray, "speaker frame"],
) -> None:
    """Write what is found of these blocks into `presence`."""
    scenes = together(
        [
            scene(heard, cast.only(block.speakers), block.from_, block.to, settings.pause_s)
            for block in blocks
        ]
    )
    device = next(model.parameters()).device
    with torch.inference_mode():
        weighed = model.weigh(scenes.to(device))
        log_probability = weighed.log_probability.cpu()
        patterns = weighed.patterns.cpu()
        if settings.mean_on_s and settings.mean_off_s:
            log_probability = _in_time(log_probability, patterns, settings)
        talks = (log_probability.exp() @ patterns).numpy()
    for row, block in enumerate(blocks):
        here = slice(block.first - block.from_, block.end - block.from_)
        found = talks[row, here, : len(block.speakers)]
        presence[block.speakers, block.first : block.end] = found.T


def _in_time(
    log_probability: Float[torch.Tensor, "block frame pattern"],
    patterns: Float[torch.Tensor, "pattern speaker"],
    settings: AttributorSettings,
) -> Float[torch.Tensor, "block frame pattern"]:
    """Patterns of a Markov chain: each frame's posterior is its potential, over the chain's prior.

    The prior of a pattern in one frame is divided out, for the chain brings it again.
    """
    on_to_off, off_to_on = HOP_S / settings.mean_on_s, HOP_S / settings.mean_off_s
    step = switching(patterns, on_to_off, off_to_on)
    share = settings.mean_on_s / (settings.mean_on_s + settings.mean_off_s)
    prior = (patterns * np.log(share) + (1 - patterns) * np.log(1 - share)).sum(1)
    return smoothed(log_probability - prior, step)[0]
