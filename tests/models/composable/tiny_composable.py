"""A composable model small enough for tests, and tones to take apart."""

import math

import torch

from diarize.training.shipped import new_model

NETWORK = {
    **{"channels": [8, 12], "kernels": [3], "strides": [2], "heads_of": 6, "groups": 4},
    **{"dropout": 0.0, "level_width": 8},
}
TABLE = {
    **{"codec": "stft", "n_fft": 64, "rate_hz": 8000, "encoder": [6], "n_steps": 4},
    **{"decoder": NETWORK, "prior": NETWORK, "operator": "sum", "output": "shares"},
    **{"view": {"kind": "levels", "n_bands": 12}, "guided": True},
}


def tiny(seed=0, **other):
    """An untrained model in eval mode."""
    return new_model("composable", {**TABLE, **other}, "the table of this test", seed).eval()


def tones(n_rows=2, n_samples=900):
    """Low and high tones whose levels chance has, as a mixture."""
    at = torch.arange(n_samples) / 8000
    both = torch.stack([torch.sin(2 * math.pi * rate * at) for rate in (300, 2500)])
    gains = 0.05 + 0.2 * torch.rand(n_rows, 2, 1, generator=torch.Generator().manual_seed(1))
    return (gains * both).sum(1, keepdim=True)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)
