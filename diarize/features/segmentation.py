"""Local speaker segmentation: who of at most three talks, in windows of ten seconds.

The network is PyanNet as configured for segmentation-3.0: learnt sinc filters, three convolutions,
four bidirectional LSTM layers and a classifier over the powerset of three speakers.

Source: Bredin and Laurent, "End-to-end speaker segmentation for overlap-aware resegmentation",
2021 (the network); Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker
diarization", 2023 (the classes). Weights: pyannote segmentation-3.0, MIT.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor, nn
from torch.nn import functional

from diarize.features.trained import load_trained
from diarize.weights import find_weights

RATE_HZ = 16000
WINDOW_SAMPLES = 160000
FRAME_HOP_SAMPLES = 270  # stride 10, then three poolings by 3
RECEPTIVE_SAMPLES = 991
POWERSET = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
N_LOCAL = 3
CONTEXT = 128  # channels of the last hidden layer
HOP_S = FRAME_HOP_SAMPLES / RATE_HZ
START_S = (RECEPTIVE_SAMPLES - FRAME_HOP_SAMPLES) / 2 / RATE_HZ  # where frame 0 begins
BATCH_WINDOWS = 12  # about 15 MB each while they are listened to
LOWEST_HZ = 50.0
NARROWEST_HZ = 50.0


def n_segmentation_frames(n_samples: int) -> int:
    """How many frames the network gives for `n_samples` at 16 kHz; 589 for ten seconds."""
    n_frames = (n_samples - 251) // 10 + 1
    for kernel in (1, 5, 5):
        n_frames = (n_frames - kernel + 1) // 3
    return max(0, n_frames)


@dataclass(frozen=True)
class LocalActivity:
    """What the network found in each window; its frames tile time on one grid.

    Frame `f` of window `w` is frame `first_frame[w] + f` of the recording. A local speaker keeps
    his place within a window only: local speaker 0 of two windows need not be the same person.
    """

    posterior: Float[np.ndarray, "window frame local"]
    speech: Float[np.ndarray, "window frame"]  # P(anyone talks)
    overlap: Float[np.ndarray, "window frame"]  # P(two talk)
    first_frame: Int[np.ndarray, " window"]
    n_frames: int  # of the whole recording
    context: Float16[np.ndarray, "recording_frame 128"] | None = None  # where asked for

    @property
    def n_windows(self) -> int:
        """How many windows there are."""
        return len(self.first_frame)


class SincFilters(nn.Module):
    """Band-pass filters given by their two edges: 40 even (cosine) and 40 odd (sine) ones.

    Source: Pariente et al., "Filterbank design for end-to-end speech separation", 2020.
    """

    n_: Tensor
    window_: Tensor

    def __init__(self, n_pairs: int = 40, kernel: int = 251) -> None:
        super().__init__()
        half = kernel // 2
        self.low_hz_ = nn.Parameter(torch.zeros(n_pairs, 1))
        self.band_hz_ = nn.Parameter(torch.zeros(n_pairs, 1))
        self.register_buffer("window_", torch.hamming_window(kernel, periodic=False)[:half])
        self.register_buffer("n_", 2 * math.pi * torch.arange(-half, 0).view(1, -1) / RATE_HZ)

    def forward(self) -> Float[Tensor, "filter 1 tap"]:
        """The impulse responses."""
        low = LOWEST_HZ + self.low_hz_.abs()
        high = (low + NARROWEST_HZ + self.band_hz_.abs()).clamp(LOWEST_HZ, RATE_HZ / 2)
        band = high - low
        scale = self.window_ / (self.n_ / 2) / (2 * band)
        even = ((high @ self.n_).sin() - (low @ self.n_).sin()) * scale
        odd = ((low @ self.n_).cos() - (high @ self.n_).cos()) * scale
        even = torch.cat([even, torch.ones_like(band), even.flip(1)], dim=1)
        odd = torch.cat([odd, torch.zeros_like(band), -odd.flip(1)], dim=1)
        return torch.cat([even, odd]).unsqueeze(1)


class _Filterbank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filterbank = SincFilters()


class _Front(nn.Module):
    """Waveform to 60 channels at about 59 frames a second."""

    filters: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList([_Filterbank(), nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)])
        self.norm1d = nn.ModuleList([nn.InstanceNorm1d(n, affine=True) for n in (80, 60, 60)])
        # kept once the weights are in place; a buffer, so that it follows them to a device
        self.register_buffer("filters", None, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        filters = self.filters
        if filters is None:
            filters = self.conv1d[0].filterbank()  # type: ignore[operator]
        hidden = functional.conv1d(self.wav_norm1d(samples), filters, stride=10).abs()
        for layer in range(3):
            if layer:
                hidden = self.conv1d[layer](hidden)
            hidden = functional.leaky_relu(self.norm1d[layer](functional.max_pool1d(hidden, 3)))
        return hidden


class Segmentation(nn.Module):
    """PyanNet: ten seconds of audio to log-probabilities over the powerset of three speakers."""

    def __init__(self) -> None:
        super().__init__()
        self.sincnet = _Front()
        self.lstm = nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True)
        self.linear = nn.ModuleList([nn.Linear(256, 128), nn.Linear(128, 128)])
        self.classifier = nn.Linear(128, len(POWERSET))

    def context(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frame 128"]:
        """The last hidden layer: what the classifier sees of each frame and all around it."""
        hidden = self.sincnet(samples.unsqueeze(1)).transpose(1, 2)
        hidden, _ = self.lstm(hidden)
        for linear in self.linear:
            hidden = functional.leaky_relu(linear(hidden))
        return hidden

    def classify(
        self, context: Float[Tensor, "batch frame 128"]
    ) -> Float[Tensor, "batch frame pattern"]:
        """Log-probability of each pattern of speakers, given the last hidden layer."""
        return functional.log_softmax(self.classifier(context), dim=-1)

    def forward(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch frame pattern"]:
        """Log-probability of each pattern of speakers in every frame."""
        return self.classify(self.context(samples))


def load_segmentation(path: Path | None = None) -> Segmentation:
    """The network with its trained weights, ready to infer.

    Raises:
        MissingWeights: they are not on this machine.
        BadFile: the file holds something else.
    """
    path = find_weights("segmentation-3.0", path)
    network = load_trained(Segmentation(), path, "segmentation-3.0")
    network.sincnet.filters = network.sincnet.conv1d[0].filterbank()  # type: ignore[operator]
    return network


def segment(
    network: Segmentation,
    samples: Float[np.ndarray, " time"],
    hop_frames: int = 148,
    progress: Callable[[float], None] | None = None,
    keep_context: bool = False,
) -> LocalActivity:
    """Local speaker activity of a whole recording at 16 kHz, in windows of ten seconds.

    Windows begin every `hop_frames` frames of 16.875 ms (148: about 2.5 s), so that all frames lie
    on one grid; the last ends with the recording, and a recording shorter than a window is padded
    with silence. `progress` is told the share that is done. With `keep_context` the last hidden
    layer is kept, of each frame from the window whose middle is nearest.
    """
    starts = window_starts(len(samples), hop_frames)
    device = next(network.parameters()).device
    n_frames = math.ceil(len(samples) / FRAME_HOP_SAMPLES)
    n_frames = min(n_frames, int(starts[-1]) + n_segmentation_frames(WINDOW_SAMPLES))
    context = np.zeros((n_frames if keep_context else 0, CONTEXT), dtype=np.float16)
    patterns = []
    with torch.inference_mode():
        for first in range(0, len(starts), BATCH_WINDOWS):
            batch = _cut(samples, starts[first : first + BATCH_WINDOWS])
            hidden = network.context(batch.to(device))
            patterns.append(network.classify(hidden).exp().cpu().numpy())
            if keep_context:
                _keep_nearest(context, hidden.half().cpu().numpy(), starts, first)
            if progress is not None:
                progress(min(1.0, (first + BATCH_WINDOWS) / len(starts)))
    pattern = np.concatenate(patterns)
    n_members = np.array([len(members) for members in POWERSET])
    return LocalActivity(
        posterior=pattern @ _membership(),
        speech=1.0 - pattern[..., n_members == 0].sum(-1),
        overlap=pattern[..., n_members == 2].sum(-1),
        first_frame=starts,
        n_frames=n_frames,
        context=context if keep_context else None,
    )


def _keep_nearest(
    context: Float16[np.ndarray, "recording_frame 128"],
    hidden: Float16[np.ndarray, "window frame 128"],
    starts: Int[np.ndarray, " recording_window"],
    first: int,
) -> None:
    """Write into `context` what windows `first` on say of the frames nearest to their middles."""
    n_window_frames = hidden.shape[1]
    between = (starts[1:] + starts[:-1] + n_window_frames) // 2  # of neighbouring windows' middles
    edges = np.concatenate([[0], between, [len(context)]])
    for window, frames in enumerate(hidden, start=first):
        low, high = int(edges[window]), min(int(edges[window + 1]), len(context))
        context[low:high] = frames[low - starts[window] : high - starts[window]]


def _cut(
    samples: Float[np.ndarray, " time"], starts: Int[np.ndarray, " window"]
) -> Float[Tensor, "window sample"]:
    """The windows that begin at these frames, with silence beyond the end of the recording."""
    windows = torch.zeros(len(starts), WINDOW_SAMPLES)
    for window, start in zip(windows, starts, strict=True):
        piece = samples[start * FRAME_HOP_SAMPLES :][:WINDOW_SAMPLES]
        window[: len(piece)] = torch.from_numpy(piece)
    return windows


def window_starts(n_samples: int, hop_frames: int) -> Int[np.ndarray, " window"]:
    """First frame of each window, about `hop_frames` apart; together they cover `n_samples`.

    Windows further apart than they are long would leave frames unseen, so they never are.

    >>> window_starts(16000 * 16, 148)
    array([  0, 178, 356])
    """
    beyond = max(0, n_samples - WINDOW_SAMPLES)
    last = math.ceil(beyond / FRAME_HOP_SAMPLES)
    furthest = n_segmentation_frames(WINDOW_SAMPLES)  # apart, for no frame to lie between two
    n_steps = max(round(last / hop_frames), math.ceil(last / furthest))
    return np.linspace(0, last, n_steps + 1).round().astype(np.int64)


def _membership() -> Float[np.ndarray, "pattern local"]:
    table = np.zeros((len(POWERSET), N_LOCAL), dtype=np.float32)
    for pattern, members in enumerate(POWERSET):
        table[pattern, list(members)] = 1.0
    return table
