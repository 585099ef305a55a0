"""Voice activity: the probability that anyone talks, frame by frame, from three detectors.

`webrtc` decides in 30 ms frames and knows no probability; `silero` is a small recurrent network;
`segmentation` is what the local speaker segmentation sees, and costs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diarize.errors import BadCall

RATE_HZ = 16000
WEBRTC_FRAME_SAMPLES = 480
WEBRTC_MODE = 2  # 0 lets most through, 3 least
SILERO_FRAME_SAMPLES = 512


@dataclass(frozen=True)
class SpeechActivity:
    """Probability of speech; frame `i` covers `i * hop_s` to `(i + 1) * hop_s` seconds."""

    probability: Float[np.ndarray, " frame"]
    hop_s: float

    def on_grid(self, n_frames: int, hop_s: float, start_s: float) -> Float[np.ndarray, " frame"]:
        """The probability at the middle of each frame of another grid; 0 outside the recording.

        >>> SpeechActivity(np.array([0.0, 1.0], np.float32), 0.03).on_grid(3, 0.02, 0.0)
        array([0., 1., 1.], dtype=float32)
        """
        middle_s = start_s + (np.arange(n_frames) + 0.5) * hop_s
        index = np.floor(middle_s / self.hop_s + 1e-9).astype(np.int64)
        inside = (index >= 0) & (index < len(self.probability))
        probability = np.zeros(n_frames, dtype=np.float32)
        probability[inside] = self.probability[index[inside]]
        return probability


def webrtc_speech(samples: Float[np.ndarray, " time"]) -> SpeechActivity:
    """0 or 1 every 30 ms, from the voice detector of WebRTC (mode 2), of audio at 16 kHz."""
    import webrtcvad

    detector = webrtcvad.Vad(WEBRTC_MODE)
    n_frames = len(samples) // WEBRTC_FRAME_SAMPLES
    clipped = np.clip(samples[: n_frames * WEBRTC_FRAME_SAMPLES], -1.0, 1.0)
    frames = (clipped * 32767).astype("<i2").reshape(n_frames, WEBRTC_FRAME_SAMPLES)
    decisions = [detector.is_speech(frame.tobytes(), RATE_HZ) for frame in frames]
    hop_s = WEBRTC_FRAME_SAMPLES / RATE_HZ
    return SpeechActivity(np.asarray(decisions, dtype=np.float32), hop_s)


def silero_speech(samples: Float[np.ndarray, " time"]) -> SpeechActivity:
    """Probability of speech every 32 ms, from Silero's network, of audio at 16 kHz."""
    import torch

    network = _silero()
    n_frames = -(-len(samples) // SILERO_FRAME_SAMPLES)
    padded = np.zeros(n_frames * SILERO_FRAME_SAMPLES, dtype=np.float32)
    padded[: len(samples)] = samples
    with torch.inference_mode():
        probability = network.audio_forward(torch.from_numpy(padded)[None], RATE_HZ)[0].numpy()
    return SpeechActivity(probability.astype(np.float32), SILERO_FRAME_SAMPLES / RATE_HZ)


def _silero():  # type: ignore[no-untyped-def]
    """A network of one's own: it carries a state from frame to frame, so threads share none."""
    import torch

    n_threads = torch.get_num_threads()
    from silero_vad import load_silero_vad  # the import sets torch to one thread for good

    torch.set_num_threads(n_threads)
    return load_silero_vad()


DETECTORS: dict[str, Callable[[Float[np.ndarray, " time"]], SpeechActivity]] = {
    "webrtc": webrtc_speech,
    "silero": silero_speech,
}


def detect_speech(samples: Float[np.ndarray, " time"], detector: str) -> SpeechActivity:
    """Speech activity of audio at 16 kHz by the detector of that name.

    Raises:
        BadCall: there is no detector of that name.
    """
    if detector not in DETECTORS:
        raise BadCall(f"no voice activity detector {detector!r}; there are {', '.join(DETECTORS)}")
    return DETECTORS[detector](samples)
