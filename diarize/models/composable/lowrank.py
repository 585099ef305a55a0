"""Shares fitted to the recording at hand: few spectra a component, learned of it alone.

An instrument plays the same few sounds again and again. What a network says of a recording, it says
with errors that differ from one moment to the next; a sum of few spectra, each with its own course
of time, has no room for them. So spectra are learned of what the network gave each component, and
then all of them together of the mixture itself.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from diarize.models.composable.config import AdaptSettings

Magnitudes = Float[Tensor, "row freq frame"]
_TINY = 1e-8


def fitted(
    shares: Float[Tensor, "row component freq frame"],
    powers: Float[Tensor, "row freq frame"],
    settings: AdaptSettings,
    generator: torch.Generator,
) -> Float[Tensor, "row component freq frame"]:
    """Shares of a mixture's power, from shares that were there before; they add up to 1.

    Non-negative factors of magnitudes, by multiplicative updates that lessen the Kullback-Leibler
    divergence: first `first_steps` of each component by itself, then `steps` of all together, from
    there, of the mixture. That is done `rounds` times, each from what came of the one before.
    Chance draws the first factors, the same ones for every row; all of it is done from `starts`
    draws, and the mean of the shares is the answer.

    Source: D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", 2000, eqs.
    (5). That a separator's word begins it is ours.
    """
    mixture = powers.clamp(min=0).sqrt()
    mixture = mixture / mixture.mean((1, 2), keepdim=True).clamp(min=_TINY) + _TINY
    total = torch.zeros_like(shares)
    for _ in range(settings.starts):
        found = shares
        for _ in range(settings.rounds):
            found = _once(found, mixture, settings, generator)
        total = total + found
    return total / settings.starts


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
        own = mixture * shares[:, number].clamp(min=1e-6).sqrt()
        first = torch.rand(n_freqs, size, generator=generator) + 0.1
        course = torch.rand(size, n_frames, generator=generator) + 0.1
        course = course * own.mean((1, 2), keepdim=True) / (first @ course).mean()
        found = _updated(own, first.expand(len(own), -1, -1), course, settings.first_steps)
        spectra.append(found[0])
        courses.append(found[1])
    every = _updated(mixture, torch.cat(spectra, 2), torch.cat(courses, 1), settings.steps)
    pairs = zip(every[0].split(size, 2), every[1].split(size, 1), strict=True)
    made = torch.stack([(one @ course).square() for one, course in pairs], 1) + _TINY
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
