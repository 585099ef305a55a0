"""The best that a mask on the mixture's spectrogram could do: a ceiling, since it knows the truth.

Source: the "IRM2" oracle of the SiSEC campaigns (F.-R. Stöter, A. Liutkus, N. Ito, 2018): each
source's share of the summed power in every bin, put on the mixture.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy.signal import ShortTimeFFT, get_window

SIZE, HOP = 2048, 512  # samples
TINY = 1e-20


def ideal_ratio_masked(
    references: Float[np.ndarray, "source channel time"],
) -> Float32[np.ndarray, "source channel time"]:
    """The mixture under each source's ideal ratio mask; they add up to the mixture."""
    transform = ShortTimeFFT(get_window("hann", SIZE), HOP, fs=1.0)
    n_samples = references.shape[-1]
    padded = max(n_samples, SIZE)
    result = np.empty(references.shape, np.float32)
    for channel in range(references.shape[1]):
        own = np.zeros((len(references), padded))
        own[:, :n_samples] = references[:, channel]
        spectra = transform.stft(own)
        power = np.abs(spectra) ** 2
        mixture = spectra.sum(axis=0)
        masks = power / (power.sum(axis=0) + TINY)
        result[:, channel] = transform.istft(masks * mixture, k1=padded)[:, :n_samples]
    return result
