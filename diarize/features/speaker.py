"""Speaker embeddings: frame features computed once a recording, pooled under each speaker's mask.

The networks are CAM++ (weights in a package, see `diarize.weights`) and ECAPA-TDNN from
SpeechBrain (weights from the user's hub cache or a path). Both see audio at 16 kHz.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int
from torch import Tensor
from torch.nn import functional

from diarize.errors import BadCall
from diarize.features.campplus import CHANNELS, EMBEDDING, load_campplus
from diarize.features.mel import FRAME_SAMPLES, HOP_SAMPLES, kaldi_fbank

RATE_HZ = 16000
EMBEDDERS = ("campplus", "ecapa")
CHUNK_S = 10.0  # what a network sees at once: its context mixes in all of it


@dataclass(frozen=True)
class VoiceMask:
    """Where one voice is: frame `first + i` of the recording counts if `frames[i]`."""

    first: int
    frames: Bool[np.ndarray, " frame"]

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.first + len(self.frames)

    @property
    def middle(self) -> float:
        """Half way from the first frame to the end."""
        return (self.first + self.end) / 2


@runtime_checkable
class SpeakerNetwork(Protocol):
    """A speaker network cut in two at its pooling layer.

    What it keeps of a set of frames, its statistic, adds up: the sum over two sets that share no
    frame is the statistic of both together. So voices can be joined without listening again.
    """

    dimension: int  # of an embedding
    statistic: int  # how many numbers a statistic has; the first counts the frames
    hop_samples: int  # between frames
    reach_samples: int  # how far the last frame reaches beyond its hop

    def frames(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "channel frame"]:
        """Features before pooling, of a piece of audio."""
        ...

    def summarise(self, frames: Float[Tensor, "channel frame"]) -> Float[Tensor, " statistic"]:
        """The statistic of these frames, at least one."""
        ...

    def embed(
        self, statistics: Float[Tensor, "voice statistic"]
    ) -> Float[Tensor, "voice dimension"]:
        """One embedding of unit length per statistic."""
        ...


class CampplusNetwork:
    """CAM++: 512 features every 20 ms; their number, sum and sum of squares are the statistic."""

    dimension = EMBEDDING
    statistic = 1 + 2 * CHANNELS
    hop_samples = 2 * HOP_SAMPLES
    reach_samples = FRAME_SAMPLES - HOP_SAMPLES

    def __init__(self, path: Path | None = None, device: str = "cpu") -> None:
        self.network = load_campplus(path).to(device)
        self.device = device

    def frames(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "channel frame"]:
        """Features before pooling, the mean mel spectrum of the piece removed."""
        mels = kaldi_fbank(samples.to(self.device))
        return self.network.frames((mels - mels.mean(0)).unsqueeze(0))[0].cpu()

    def summarise(self, frames: Float[Tensor, "channel frame"]) -> Float[Tensor, " statistic"]:
        """How many frames, their sum, the sum of their squares."""
        count = torch.tensor([float(frames.shape[1])])
        return torch.cat([count, frames.sum(dim=1), frames.square().sum(dim=1)])

    def embed(
        self, statistics: Float[Tensor, "voice statistic"]
    ) -> Float[Tensor, "voice dimension"]:
        """Mean and standard deviation of the frames, through the last layer."""
        count, total, squares = statistics.double().split([1, CHANNELS, CHANNELS], dim=1)
        mean = total / count.clamp_min(1)
        spread = (squares - count * mean.square()) / (count - 1).clamp_min(1)
        pooled = torch.cat([mean, spread.clamp_min(0).sqrt()], dim=1).float()
        with torch.inference_mode():
            return functional.normalize(self.network.embed(pooled.to(self.device)), dim=1).cpu()


def summarise_voices(
    network: SpeakerNetwork,
    samples: Float[np.ndarray, " time"],
    masks: Sequence[VoiceMask],
    progress: Callable[[float], None] | None = None,
    heard: Float16[np.ndarray, "frame channel"] | None = None,
) -> Iterator[tuple[Int[np.ndarray, " voice"], Float[Tensor, "voice statistic"]]]:
    """The statistics of the voices under `masks`, in groups: their places in `masks`, and they.

    Masks are sorted by their first frame. Each piece of the recording goes through the network
    once, pieces in which no voice counts not at all, and only the pieces that some mask still
    needs are kept, so that memory does not grow with the recording. A mask without a frame inside
    the recording is left out. `heard`, if given, is what `all_frames` found: nothing is heard anew.
    """
    held: dict[int, Tensor] = {}  # first frame -> features
    pieces = list(_pieces(len(samples), network.hop_samples))
    waiting = list(enumerate(masks))
    for number, (first, end) in enumerate(pieces):
        last = number + 1 == len(pieces)
        with torch.inference_mode():
            if any(_counts(mask, first, end) for _, mask in _until(waiting, end)):
                held[first] = _frames(network, samples, first, end, heard)
            here = _until(waiting, end)
            ready = here if last else [entry for entry in here if entry[1].end <= end]
            voices, statistics = [], []
            for voice, mask in ready:
                chosen = [_chosen(mask, at, features) for at, features in held.items()]
                frames = torch.cat(chosen, dim=1) if chosen else torch.zeros(1, 0)
                if frames.shape[1]:
                    voices.append(voice)
                    statistics.append(network.summarise(frames))
        done = {voice for voice, _ in ready}
        waiting = [entry for entry in here if entry[0] not in done] + waiting[len(here) :]
        oldest = min((mask.first for _, mask in _until(waiting, end)), default=end)
        held = {at: kept for at, kept in held.items() if at + kept.shape[1] > oldest}
        if voices:
            yield np.array(voices), torch.stack(statistics)
        if progress is not None:
            progress((number + 1) / len(pieces))


def all_frames(
    network: SpeakerNetwork,
    samples: Float[np.ndarray, " time"],
    progress: Callable[[float], None] | None = None,
) -> Float16[np.ndarray, "frame channel"]:
    """Features before pooling of the whole recording: 180 MB an hour of CAM++."""
    pieces = list(_pieces(len(samples), network.hop_samples))
    found: Float16[np.ndarray, "frame channel"] | None = None
    with torch.inference_mode():
        for number, (first, end) in enumerate(pieces):
            frames = _frames(network, samples, first, end, None)
            if found is None:
                found = np.zeros((pieces[-1][1], len(frames)), dtype=np.float16)
            found[first:end] = frames.T.numpy()
            if progress is not None:
                progress((number + 1) / len(pieces))
    assert found is not None  # there is always a piece
    return found


def _frames(
    network: SpeakerNetwork,
    samples: Float[np.ndarray, " time"],
    first: int,
    end: int,
    heard: Float16[np.ndarray, "frame channel"] | None,
) -> Tensor:
    """Features of frames `first` to `end`, (channel, frame)."""
    if heard is not None:
        return torch.from_numpy(heard[first:end].T.astype(np.float32))
    return network.frames(_cut(samples, first, end, network))[:, : end - first]


def _until(waiting: list[tuple[int, VoiceMask]], end: int) -> list[tuple[int, VoiceMask]]:
    """Those that begin before frame `end`; `waiting` is sorted by the first frame."""
    return waiting[: bisect_left(waiting, end, key=lambda entry: entry[1].first)]


def load_speaker_network(
    name: str, path: Path | None = None, device: str = "cpu"
) -> SpeakerNetwork:
    """The speaker network of that name, ready to use: `campplus` or `ecapa`.

    Raises:
        BadCall: there is none of that name, or the package it needs is not installed.
        MissingWeights: its weights are not on this machine.
        BadFile: the file holds something else.
    """
    if name == "campplus":
        return CampplusNetwork(path, device)
    if name == "ecapa":
        from diarize.features.ecapa import EcapaNetwork

        return EcapaNetwork(path, device)
    raise BadCall(f"no embedder {name!r}; there are {', '.join(EMBEDDERS)}")


def _pieces(n_samples: int, hop_samples: int) -> Iterator[tuple[int, int]]:
    """First and end frame of each piece, all of about `CHUNK_S`."""
    n_frames = max(1, -(-n_samples // hop_samples))
    step = round(CHUNK_S * RATE_HZ / hop_samples)
    n_pieces = max(1, round(n_frames / step))
    edges = [step * piece for piece in range(n_pieces)] + [n_frames]
    yield from itertools.pairwise(edges)


def _cut(
    samples: Float[np.ndarray, " time"], first: int, end: int, network: SpeakerNetwork
) -> Tensor:
    """The samples that frames `first` to `end` need, silence beyond the end of the recording."""
    n_wanted = (end - first) * network.hop_samples + network.reach_samples
    start = first * network.hop_samples
    piece = samples[start : start + n_wanted]
    return torch.from_numpy(np.pad(piece, (0, n_wanted - len(piece))))


def _counts(mask: VoiceMask, first: int, end: int) -> bool:
    """Whether any frame of the mask from `first` to `end` counts."""
    return bool(mask.frames[max(0, first - mask.first) : max(0, end - mask.first)].any())


def _chosen(mask: VoiceMask, at: int, features: Tensor) -> Tensor:
    """Those of `features`, which begin at frame `at`, that count for the mask."""
    here = np.zeros(features.shape[1], dtype=bool)
    low, high = max(at, mask.first), min(at + len(here), mask.end)
    if low < high:
        here[low - at : high - at] = mask.frames[low - mask.first : high - mask.first]
    return features[:, torch.from_numpy(here)]
