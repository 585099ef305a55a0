"""Whether anybody talks, by the name of what is to tell it, whatever it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float32

from diarize.features.segmentation import (
    HOP_S,
    START_S,
    Segmentation,
    load_segmentation,
    segment,
)
from diarize.features.vad import SpeechActivity, detect_speech
from diarize.inference.stitch import NOBODY, overlap_add

Detector = Callable[[Float32[np.ndarray, " time"]], SpeechActivity]
DetectorName = Literal["segmentation", "silero", "webrtc", "none"]
PARTS = 3  # of a frame of the segmentation, for it not to begin with the recording


def speech_detector(name: DetectorName) -> Detector | None:
    """What tells speech in audio at 16 kHz; None of the name "none"."""
    if name == "none":
        return None
    if name != "segmentation":
        return lambda samples: detect_speech(samples, name)
    network = load_segmentation()
    return lambda samples: segmentation_speech(network, samples)


def segmentation_speech(
    network: Segmentation, samples: Float32[np.ndarray, " time"]
) -> SpeechActivity:
    """Probability that anyone talks, as the speaker segmentation has it, every 5.6 ms."""
    local = segment(network, samples)
    nobody = np.full(local.posterior.shape[::2], NOBODY)
    speech = overlap_add(local, nobody, 0).speech
    before = np.repeat(speech[:1], round(PARTS * START_S / HOP_S))
    fine = np.concatenate([before, np.repeat(speech, PARTS)])
    return SpeechActivity(fine, HOP_S / PARTS)
