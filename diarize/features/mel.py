"""Log-mel filter banks as Kaldi defines them, the input of speaker-embedding networks."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor

FRAME_SAMPLES = 400  # 25 ms at 16 kHz
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
RATE_HZ = 16000
N_MELS = 80
LOWEST_HZ = 20.0
PREEMPHASIS = 0.97
FLOOR = torch.finfo(torch.float32).eps


def n_fbank_frames(n_samples: int) -> int:
    """How many 10 ms frames fit whole into `n_samples` at 16 kHz (Kaldi's snip-edges rule)."""
    return max(0, 1 + (n_samples - FRAME_SAMPLES) // HOP_SAMPLES)


def kaldi_fbank(samples: Float[Tensor, "*batch time"]) -> Float[Tensor, "*batch frame mel"]:
    """Natural log of the power in 80 mel bands, one row every 10 ms, of 16 kHz audio in [-1, 1].

    Frames of 25 ms lie wholly inside the signal (a shorter one has none); the mean of each is
    removed, pre-emphasis 0.97 and a Povey window follow; no dither, so the same audio gives the
    same values.

    Source: Kaldi's `compute-fbank-feats` with 80 bins and its other defaults but dither.

    >>> kaldi_fbank(torch.zeros(16000)).shape
    torch.Size([98, 80])
    """
    if samples.shape[-1] < FRAME_SAMPLES:
        return samples.new_zeros(*samples.shape[:-1], 0, N_MELS)
    frames = samples.unfold(-1, FRAME_SAMPLES, HOP_SAMPLES)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - PREEMPHASIS * before) * _povey_window().to(frames)
    power = torch.fft.rfft(frames, n=FFT_SAMPLES).abs().square()
    return (power[..., :-1] @ _mel_banks().to(power)).clamp_min(FLOOR).log()


@functools.cache
@torch.inference_mode(False)  # what is kept must serve a call that wants gradients, too
def _povey_window() -> Tensor:
    return torch.hann_window(FRAME_SAMPLES, periodic=False, dtype=torch.float64).pow(0.85).float()


@functools.cache
@torch.inference_mode(False)
def _mel_banks() -> Tensor:
    """Triangles that are straight in mel, not in hertz: (fft bin, mel)."""

    def mel(hz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hz / 700.0)

    hz = torch.arange(FFT_SAMPLES // 2, dtype=torch.float64) * RATE_HZ / FFT_SAMPLES
    edges = torch.tensor([LOWEST_HZ, RATE_HZ / 2], dtype=torch.float64)
    low, high = mel(edges).tolist()
    corners = torch.linspace(low, high, N_MELS + 2, dtype=torch.float64)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    here = mel(hz)[:, None]
    rise, fall = (here - left) / (centre - left), (right - here) / (right - centre)
    return torch.minimum(rise, fall).clamp_min(0).float()
