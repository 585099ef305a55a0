"""From what was made of a mixture to a sound for each stem, by way of the mixture or of codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from diarize.models.rqvae.bottleneck import Passed

if TYPE_CHECKING:
    from diarize.models.rqvae.model import RQVAE


@dataclass(frozen=True)
class Taken:
    """What a mixture was made into.

    Attributes:
        shares: of the mixture's spectrum, a stem; None from network "waveform".
        sounds: of each stem, full scale 1; None from network "spectrum".
        passed: what got through each bottleneck.
    """

    shares: Float[Tensor, "batch source frame part"] | None
    sounds: Float[Tensor, "batch source time"] | None
    passed: tuple[Passed, ...]

    def sounds_of(
        self, model: RQVAE, mixture: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch source time"]:
        """The sound of each stem, of its share of the mixture if it is known by that."""
        if self.sounds is not None:
            return self.sounds
        assert self.shares is not None  # one of the two there is
        spectra = model.spectrum.forward(mixture) * model.parts.spread(self.shares)
        return model.spectrum.inverse(spectra, mixture.shape[2])


def separate(
    model: RQVAE, mixture: Float[Tensor, "batch 1 time"]
) -> Float[Tensor, "batch source time"]:
    """The stems of a mixture, full scale 1, as `model.output` says.

    "mixture" multiplies the mixture's spectrum by each stem's shares: codes decide on the shares,
    and the sound has a path around them. "codes" sends each stem so found through the codec: all
    that is heard is made of codes.
    """
    taken = model.take(mixture[:, 0])
    sounds = taken.sounds_of(model, mixture)
    if model.output != "codes":
        return sounds
    n_samples = mixture.shape[2]
    transform = model.codec.transform
    numbers, _ = model.codec.quantise(transform.forward(sounds.flatten(0, 1)))
    return transform.inverse(numbers, n_samples).view_as(sounds)
