"""Sound as a codec gives it back: what no method that ends in that codec can be better than."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32

from diarize.audio.resample import resample
from diarize.codecs.contract import Codec


@torch.inference_mode()
def round_trip(
    codec: Codec, samples: Float32[np.ndarray, "channel time"], rate_hz: int
) -> Float32[np.ndarray, "channel time"]:
    """Sound sent through a codec's codes, or its latents where it has no codes, and back.

    Of the length and rate it had; the codec hears it at its own. A codec of one channel gets each
    channel alone, one of two gets a single channel twice.
    """
    at_its_rate = _resampled(samples, rate_hz, codec.rate_hz)
    audio = torch.from_numpy(np.ascontiguousarray(at_its_rate))
    if codec.n_channels == 1 or len(samples) == 1:
        audio = audio[:, None].expand(-1, codec.n_channels, -1)
    else:
        audio = audio[None]
    encoded = codec.encode(audio)
    made = codec.decode_codes(encoded) if codec.n_codes else codec.decode(encoded)
    if codec.n_channels == 1:
        made = made.transpose(0, 1)
    back = _resampled(made[0].float().numpy(), codec.rate_hz, rate_hz)
    result = np.zeros_like(samples)
    n_samples = min(samples.shape[1], back.shape[1])
    result[:, :n_samples] = back[: len(samples), :n_samples]
    return result


def _resampled(
    samples: Float32[np.ndarray, "channel time"], from_hz: int, to_hz: int
) -> Float32[np.ndarray, "channel out_time"]:
    if from_hz == to_hz:
        return samples
    return np.stack([resample(channel, from_hz, to_hz) for channel in samples])
