"""Shares fitted to the recording at hand: few spectra a component, learned of it alone.

An instrument plays the same few sounds again and again. What a network says of a recording, it says
with errors that differ from one moment to the next; a sum of few spectra, each with its own course
of time, has no room for them. So spectra are learned of what the network gave each component, and
then all of them together of the mixture itself. No label is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.config import at_least, at_most

Magnitudes = Float[Tensor, "row freq frame"]
_TINY = 1e-8


@dataclass(frozen=True)
class AdaptSettings:
    """How shares are fitted to the recording that is separated.

    Attributes:
        steps: on all components together; 0 leaves shares as the networks said.
        first_steps: before that, on each by itself.
        n_spectra: of each component, in a window.
        rounds: how often both are done, each from what came of the one before.
        starts: draws from which all that begins; the mean is taken.
        power: of magnitudes, what the shares are shares of: 2 of powers, 1 of magnitudes.
        kept: of the shares as they were before, how much is in the answer.
    """

    steps: int = 0
    first_steps: int = 40
    n_spectra: int = 8
    rounds: int = 2
    starts: int = 4
    power: float = 2.0
    kept: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, steps=0, first_steps=0, n_spectra=1, rounds=1, starts=1, power=0.1, kept=0)
        at_most(self, steps=1000, first_steps=1000, rounds=100, starts=100, power=4, kept=1)


def fitted(
    shares: Float[Tensor, "row component freq frame"],
    powers: Float[Tensor, "row freq frame"],
    settings: AdaptSettings,
    generator: torch.Generator,
) -> Float[Tensor, "row component freq frame"]:
    """Shares of a mixture, from shares that were there before; they add up to 1.

    Non-negative factors of magnitudes, by multiplicative updates that lessen the Kullback-Leibler
    divergence: first `first_steps` of each component by itself, then `steps` of all together, from
    there, of the mixture. That is done `rounds` times, each from what came of the one before.
    Chance draws the first factors, the same ones for every row; all of it is done from `starts`
    draws, and the mean of the shares is the answer.

    Source: D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", 2000, eqs.
    (5). That a separator's word begins it is ours.

    Args:
        shares: of the mixture's magnitudes, to the power of `settings.power`.
        powers: of the mixture, that is magnitudes to the power of 2.
    """
    mixture = powers.clamp(min=0).sqrt()
    mixture = mixture / mixture.mean((1, 2), keepdim=True).clamp(min=_TINY) + _TINY
    total = torch.zeros_like(shares)
    for _ in range(settings.starts):
        found = shares
        for _ in range(settings.rounds):
            found = _once(found, mixture, settings, generator)
        total = total + found
    return (1 - settings.kept) * total / settings.starts + settings.kept * shares


def _once(
    shares: Float[Tensor, "row component freq frame"],
    mixture: Magnitudes,
    settings: AdaptSettings,
    generator: torch.Generator,
) -> Float[Tensor, "row component freq frame"]:
    n_freqs, n_frames = mixture.shape[1:]
    size = settings.n_spectra
    spectra, courses = [], []
    for number in range(shares.shape[1]):
        own = mixture * shares[:, number].clamp(min=1e-6) ** (1 / settings.power)
        first = torch.rand(n_freqs, size, generator=generator).to(own) + 0.1
        course = torch.rand(size, n_frames, generator=generator).to(own) + 0.1
        course = course * own.mean((1, 2), keepdim=True) / (first @ course).mean()
        found = _updated(own, first.expand(len(own), -1, -1), course, settings.first_steps)
        spectra.append(found[0])
        courses.append(found[1])
    every = _updated(mixture, torch.cat(spectra, 2), torch.cat(courses, 1), settings.steps)
    pairs = zip(every[0].split(size, 2), every[1].split(size, 1), strict=True)
    made = torch.stack([(one @ course) ** settings.power for one, course in pairs], 1) + _TINY
    return made / made.sum(1, keepdim=True)


def _updated(
    wanted: Magnitudes,
    spectra: Float[Tensor, "row freq spectrum"],
    courses: Float[Tensor, "row spectrum frame"],
    n_steps: int,
) -> tuple[Tensor, Tensor]:
    for _ in range(n_steps):
        ratio = wanted / (spectra @ courses + _TINY)
        courses = courses * (spectra.mT @ ratio) / (spectra.sum(1)[:, :, None] + _TINY)
        ratio = wanted / (spectra @ courses + _TINY)
        spectra = spectra * (ratio @ courses.mT) / (courses.sum(2)[:, None] + _TINY)
    return spectra, courses
