"""Windows of mixtures as latents of a codec, for models that are trained on latents made before."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from diarize.corpora.batch import Batch


@dataclass(frozen=True, kw_only=True)
class LatentWindows(Batch):
    """Windows of mixtures as latents.

    `inputs` are the latents, (batch, latent, frame).

    Attributes:
        codec: of each, the fingerprint (`codecs.fingerprint`) of the codec that made it, as a
            number; no other codec can read it.
        loudness: by which each window's latents are divided to be those of sound with a root mean
            square of 1; None where that cannot be had of them.
    """

    codec: Int[Tensor, " batch"]
    loudness: Float[Tensor, " batch"] | None = None
