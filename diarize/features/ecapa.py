"""ECAPA-TDNN speaker embeddings through SpeechBrain, cut in two at the pooling layer.

Source: Desplanques et al., "ECAPA-TDNN: emphasized channel attention, propagation and aggregation
in TDNN based speaker verification", 2020. The network and its features are SpeechBrain's own
(`pip install diarize-toolkit[ecapa]`); the weights are read from the user's hub cache or a path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from diarize.errors import BadCall
from diarize.features.trained import load_trained
from diarize.weights import find_weights

N_MELS = 80
WIDTHS = [1024, 1024, 1024, 1024, 3072]
EMBEDDING = 192


class EcapaNetwork:
    """ECAPA-TDNN: 3072 features every 10 ms, pooled by attention over mean and deviation.

    Attention does not add up, so the statistic is the embedding times the number of frames: the
    embedding of two voices joined is the mean of theirs.
    """

    dimension = EMBEDDING
    statistic = 1 + EMBEDDING
    hop_samples = 160
    reach_samples = 0

    def __init__(self, path: Path | None = None, device: str = "cpu") -> None:
        mels, network = _build()
        path = find_weights("ecapa", path)
        self.mels = mels.to(device)
        self.network = load_trained(network, path, "ECAPA-TDNN (192-d)").to(device)
        self.device = device

    def frames(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "channel frame"]:
        """Features before pooling, the mean mel spectrum of the piece removed."""
        mels = self.mels(samples.to(self.device)[None])
        hidden = (mels - mels.mean(dim=1, keepdim=True)).transpose(1, 2)
        outputs = []
        for layer in self.network.blocks:
            hidden = layer(hidden)
            outputs.append(hidden)
        return self.network.mfa(torch.cat(outputs[1:], dim=1))[0].cpu()

    def summarise(self, frames: Float[Tensor, "channel frame"]) -> Float[Tensor, " statistic"]:
        """How many frames, and their embedding as many times."""
        pooled = self.network.asp_bn(self.network.asp(frames[None].to(self.device)))
        embedding = functional.normalize(self.network.fc(pooled)[0, :, 0].cpu(), dim=0)
        count = torch.tensor([float(frames.shape[1])])
        return torch.cat([count, count * embedding])

    def embed(
        self, statistics: Float[Tensor, "voice statistic"]
    ) -> Float[Tensor, "voice dimension"]:
        """The mean embedding, at unit length."""
        return functional.normalize(statistics[:, 1:], dim=1)


def _build() -> tuple[Any, Any]:
    """SpeechBrain's filter banks and its network, untrained."""
    try:
        from speechbrain.lobes.features import Fbank
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    except ImportError as error:
        raise BadCall(
            f"--embedder ecapa needs SpeechBrain ({error}); pip install 'diarize-toolkit[ecapa]'"
        ) from error
    network = ECAPA_TDNN(
        N_MELS,
        channels=WIDTHS,
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        attention_channels=128,
        lin_neurons=EMBEDDING,
    )
    return Fbank(n_mels=N_MELS), network
