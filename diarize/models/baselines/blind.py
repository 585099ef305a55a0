"""Blind separation without any training: shares of a spectrogram for components without names.

All three give each component a share of every bin, so that components add up to the mixture, and
none knows what an instrument is.

- `nmf_shares`: the magnitude spectrogram as a sum of few spectra, each with its own course of time
  (P. Smaragdis and J. C. Brown, "Non-negative matrix factorization for polyphonic music
  transcription", WASPAA 2003), by the Kullback-Leibler divergence; which of them are one source is
  told by the shape of their spectra, as cepstra on a mel scale put into groups (M. Spiertz and
  V. Gnann, "Source-filter based clustering for monaural blind source separation", DAFx 2009).
- `hpss_shares`: what lasts and what strikes, by medians along time and along frequency
  (D. FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010).
- `random_shares`: every bin is given to one component by chance: what no method should fall below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.fft import dct
from scipy.ndimage import median_filter

from diarize.errors import BadCall

Magnitudes = Float[np.ndarray, "freq frame"]
Shares = Float[np.ndarray, "component freq frame"]
SPECTRA_A_COMPONENT = 12  # of NMF, before they are put into groups
STEPS = 150  # of its updates
N_BANDS, N_CEPSTRA = 40, 13  # of the mel scale; the first cepstrum, a level, is left out
MEDIAN_FRAMES, MEDIAN_BINS = 31, 31
_TINY = 1e-10


def nmf_shares(
    magnitudes: Magnitudes, rate_hz: int, n_components: int, generator: np.random.Generator
) -> Shares:
    """The shares by spectra learned from this mixture alone, grouped by their shapes.

    Raises:
        BadCall: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
        from sklearn.decomposition import non_negative_factorization
    except ImportError:
        raise BadCall("nmf needs scikit-learn; pip install 'diarize-toolkit[images]'") from None
    seed = int(generator.integers(2**31))
    n_spectra = min(SPECTRA_A_COMPONENT * n_components, *magnitudes.shape)
    if n_spectra < n_components or not magnitudes.any():
        return np.full((n_components, *magnitudes.shape), 1 / n_components)
    spectra, courses, _ = non_negative_factorization(
        magnitudes.astype(np.float64) + _TINY,
        n_components=n_spectra,
        init="random",
        solver="mu",
        beta_loss="kullback-leibler",
        max_iter=STEPS,
        tol=0,
        random_state=seed,
    )
    shapes = spectrum_shapes(spectra.T, rate_hz)
    groups = KMeans(n_components, n_init=10, random_state=seed).fit_predict(shapes)
    return _as_shares(
        np.stack([spectra[:, groups == n] @ courses[groups == n] for n in range(n_components)])
    )


def hpss_shares(
    magnitudes: Magnitudes, rate_hz: int, n_components: int, generator: np.random.Generator
) -> Shares:
    """The shares of what lasts (the first) and of what strikes (the second).

    Raises:
        BadCall: other than two components are wanted.
    """
    if n_components != 2:
        raise BadCall(f"hpss gives 2 components, lasting and striking; {n_components} wanted")
    lasting = median_filter(magnitudes, size=(1, MEDIAN_FRAMES), mode="nearest")
    striking = median_filter(magnitudes, size=(MEDIAN_BINS, 1), mode="nearest")
    return _as_shares(np.stack([lasting, striking]).astype(np.float64) ** 2)


def random_shares(
    magnitudes: Magnitudes, rate_hz: int, n_components: int, generator: np.random.Generator
) -> Shares:
    """All of every bin for one component, any with the same chance."""
    owners = generator.integers(n_components, size=magnitudes.shape)
    return np.stack([owners == n for n in range(n_components)]).astype(np.float64)


BLIND: dict[str, Callable[[Magnitudes, int, int, np.random.Generator], Shares]] = {
    "nmf": nmf_shares,
    "hpss": hpss_shares,
    "random": random_shares,
}


def spectrum_shapes(
    spectra: Float[np.ndarray, "n freq"], rate_hz: int
) -> Float[np.ndarray, "n cepstrum"]:
    """The shape of each magnitude spectrum whatever its level: cepstra on a mel scale."""
    bands = np.maximum(spectra @ _mel_bands(spectra.shape[1], rate_hz).T, _TINY)
    return np.asarray(dct(np.log(bands), axis=1, norm="ortho")[:, 1 : N_CEPSTRA + 1])


def _mel_bands(n_freqs: int, rate_hz: int) -> Float[np.ndarray, "band freq"]:
    """Triangles that overlap by half, of equal width in mel, from 0 Hz to half the rate."""
    top = 2595 * np.log10(1 + rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, top, N_BANDS + 2) / 2595) - 1)
    at_hz = np.linspace(0, rate_hz / 2, n_freqs)
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (at_hz - low) / (middle - low), (high - at_hz) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling))


def _as_shares(parts: Shares) -> Shares:
    """Of each bin, how much of the sum each part is; where all are nothing, the same of each."""
    return np.asarray((parts + _TINY) / (parts + _TINY).sum(axis=0))
