"""BSS-eval version 4, the SDR of MUSDB18 campaigns: medians over windows of 1 s, by `museval`.

`museval` is asked for when it is used, and itself wants ffmpeg on the path.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall

WINDOW_S = 1.0


def bss_eval(
    names: Sequence[str],
    references: Float[np.ndarray, "source channel time"],
    estimates: Float[np.ndarray, "source channel time"],
    rate_hz: int,
) -> Mapping[str, float]:
    """The median SDR in dB of each source over a song's windows of 1 s; NaN where it never plays.

    Windows in which a source, or its estimate, is silent are in no median: so `museval` has it.

    Source: F.-R. Stöter, A. Liutkus, N. Ito, "The 2018 signal separation evaluation campaign".

    Raises:
        BadCall: `museval` is not installed, or finds no ffmpeg.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from museval.metrics import bss_eval as evaluate
    except (ImportError, RuntimeError) as error:
        raise BadCall(
            f"--bss-eval: {error}; pip install museval, and ffmpeg from your system, are needed"
        ) from None
    window = min(round(WINDOW_S * rate_hz), references.shape[-1])
    heard = [place for place in range(len(names)) if references[place].any()]
    medians = dict.fromkeys(names, float("nan"))
    if not heard:
        return medians
    truth, found = (np.moveaxis(one[heard], 1, 2) for one in (references, estimates))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        sdr = evaluate(truth, found, window=window, hop=window)[0]
        medians |= {
            names[place]: float(np.nanmedian(row)) for place, row in zip(heard, sdr, strict=True)
        }
    return medians


def median_of_songs(songs: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The median over songs of each source's median; NaN of a source that plays in none."""
    return {
        name: float(np.median(known)) if known else float("nan")
        for name in songs[0]
        for known in [[one[name] for one in songs if not np.isnan(one[name])]]
    }
