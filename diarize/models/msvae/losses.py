"""What a batch costs an MS-VAE in training: labelled examples, and mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from diarize.layers.noise import distance, log_density
from diarize.models.contract import Batch, Losses
from diarize.models.msvae.checks import labels_of, patterns_of
from diarize.models.msvae.posterior import proposal_cross_entropy

if TYPE_CHECKING:
    from diarize.models.msvae.model import MSVAE


def expert_loss(model: MSVAE, batch: Batch, generator: torch.Generator) -> Losses:
    """Each example against its own stream, and the proposal against its label.

    Raises:
        BadCall: labels missing or out of range.
    """
    settings = model.settings
    labels = labels_of(batch, settings.n_streams)
    latents = model.encoders(batch.inputs)
    sample = latents.sample(generator)
    of_label = nn.functional.one_hot(labels, settings.n_streams)
    rows = torch.arange(len(labels), device=labels.device)
    sources = model.decoders.alone(sample, labels)
    distances = distance(settings.noise, batch.inputs, sources)
    scale = torch.tensor(settings.expert_scale, device=labels.device)
    fit = log_density(settings.noise, distances, settings.n_values, scale)
    divergence = latents.divergence()[rows, labels]
    guess = proposal_cross_entropy(latents.proposal, of_label.to(sources))
    cost = settings.expert_divergence * divergence - fit
    return Losses(
        (cost + settings.proposal_weight * guess).mean(),
        _means(distance=distances, divergence=divergence, proposal=guess),
    )


def mixture_loss(model: MSVAE, batch: Batch, generator: torch.Generator) -> Losses:
    """Minus the bound of each mixture (of its pattern, where known), and proposal and readout.

    In training it also adds the mixtures of unknown pattern to the statistics of the epoch.

    Raises:
        BadCall: known patterns that do not fit.
    """
    settings = model.settings
    known, is_known = patterns_of(batch, settings.n_streams)
    explained = model.explain(batch.inputs, generator=generator, known=known)
    posterior, bound = explained.posterior, explained.bound
    presence = posterior.presence
    value = bound.value
    parts = {"bound": value, "distance": posterior.mean_distance}
    cost = -value
    if known is not None:
        # a true pattern that was only put there would teach to distrust the proposal
        asked = is_known & (posterior.patterns[:, 1:] == known[:, None]).all(2).any(1)
        n_asked = asked.sum().clamp(min=1)
        others = posterior.log_evidence - posterior.log_joint[:, 0]
        read = model.readout(posterior, explained.latents.proposal)
        surprise = read.log_evidence - read.log_joint[:, 0]
        cost = cost + is_known * others + asked * settings.pattern_weight * surprise
        presence = torch.where(is_known[:, None], known, presence)
        right = (read.log_joint.argmax(1) == 0) & asked
        parts["surprise"] = (asked * surprise).sum() / n_asked
        parts["right"] = right.sum() / is_known.sum().clamp(min=1)
    guess = proposal_cross_entropy(explained.latents.proposal, presence)
    if model.training:
        model.statistics.add(posterior, ~is_known)
    return Losses(
        (cost + settings.proposal_weight * guess).mean(),
        _means(**parts, proposal=guess),
    )


def _means(**values: Tensor) -> dict[str, Tensor]:
    return {name: value.detach().mean() for name, value in values.items()}
