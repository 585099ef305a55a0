"""What a batch costs: the bound, and what makes shared and private latents keep to their own.

Every function takes which views are there; those that are not cost nothing.

Source: arXiv 2509.23548 and its code; the bounds are those of MMVAE+ (Palumbo and others, 2023) and
of DMVAE (Lee and Pavlovic, 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from diarize.layers.contrast import contrast
from diarize.models.idmvae.config import IDMVAESettings
from diarize.models.idmvae.latents import (
    Posterior,
    divergence,
    drawn,
    log_density,
    log_mixture,
    product,
)
from diarize.models.idmvae.networks import ViewNetworks, kept_statistics


@dataclass(frozen=True)
class Seen:
    """A batch, view by view, and what the encoders say of it.

    Attributes:
        values: of each view, (batch, value).
        present: which are there.
        shared, private: posteriors by each view.
        drawn_shared, drawn_private: one draw of each.
    """

    values: list[Float[Tensor, "batch _value"]]  # as many as the view has
    present: Bool[Tensor, "batch view"]
    shared: list[Posterior]
    private: list[Posterior]
    drawn_shared: list[Float[Tensor, "batch shared"]]
    drawn_private: list[Float[Tensor, "batch private"]]


@dataclass(frozen=True)
class Bound:
    """A bound on the log likelihood, negative, in nats a datum, and its parts."""

    total: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    divergence: Float[Tensor, ""]


def mixture_bound(
    seen: Seen,
    networks: list[ViewNetworks],
    settings: IDMVAESettings,
    other_scales: list[Float[Tensor, " private"]],
    generator: torch.Generator,
) -> Bound:
    """The bound of MMVAE+, of one draw: each view's shared latents explain all views.

    The view they come from is rebuilt with its own private latents, every other one with private
    latents of an auxiliary prior, N(0, other_scales^2). With `detach_own`, rebuilding the former
    has no gradient to shared latents.
    """
    n_views, shape = len(networks), settings.posterior
    there = seen.present.to(seen.values[0])
    likelihood = []  # by target: (source, batch)
    for target, network in enumerate(networks):
        own = seen.drawn_private[target]
        private = [
            own
            if source == target
            else drawn(shape, torch.zeros_like(own), other_scales[target], generator)
            for source in range(n_views)
        ]
        shared_latents = [
            one.detach() if settings.detach_own and source == target else one
            for source, one in enumerate(seen.drawn_shared)
        ]
        decoded = network.decode(torch.cat(shared_latents), torch.cat(private))
        found = network.log_likelihood(seen.values[target].repeat(n_views, 1), decoded)
        weight = settings.each_view[target].weight
        likelihood.append(weight * found.view(n_views, -1) * there[:, target])
    reconstruction = torch.stack(likelihood).sum(0).T  # batch by source
    spent = []
    for source in range(n_views):
        shared, alone = seen.drawn_shared[source], seen.drawn_private[source]
        posterior = seen.private[source]
        cost = log_mixture(shape, shared, seen.shared, seen.present)
        cost = cost + log_density(shape, alone, posterior.mean, posterior.scale)
        if settings.gaussian_prior:
            for latent in (shared, alone):
                scale = torch.full_like(latent[:1], settings.prior_scale)
                cost = cost - log_density(shape, latent, torch.zeros_like(scale), scale)
        spent.append(cost)
    share = there / there.sum(1, keepdim=True)
    rebuilt = (share * reconstruction).sum(1).mean()
    diverged = (share * torch.stack(spent, 1)).sum(1).mean()
    return Bound(settings.beta * diverged - rebuilt, -rebuilt.detach(), diverged.detach())


def product_bound(
    seen: Seen,
    networks: list[ViewNetworks],
    settings: IDMVAESettings,
    generator: torch.Generator,
) -> Bound:
    """The bound of DMVAE: shared latents of all views together, and of each alone, explain all.

    Each view is rebuilt with its own private latents. The terms are means over these sources.
    """
    there = seen.present.to(seen.values[0])
    joint = product(seen.shared, seen.present, settings.prior_scale)
    sources = [drawn("normal", joint.mean, joint.scale, generator), *seen.drawn_shared]
    counts = torch.cat([torch.ones_like(there[:, :1]), there], 1)
    share = counts / counts.sum(1, keepdim=True)
    rebuilt = torch.zeros_like(there[:, 0])
    for target, network in enumerate(networks):
        private = seen.drawn_private[target].repeat(len(sources), 1)
        decoded = network.decode(torch.cat(sources), private)
        found = network.log_likelihood(seen.values[target].repeat(len(sources), 1), decoded)
        weight = settings.each_view[target].weight * there[:, target]
        rebuilt = rebuilt + weight * (share * found.view(len(sources), -1).T).sum(1)
    spent = _spent(seen, joint, share, settings)
    return Bound(
        settings.beta * spent.mean() - rebuilt.mean(),
        -rebuilt.mean().detach(),
        spent.mean().detach(),
    )


def cross_view(
    posteriors: list[Posterior], present: Bool[Tensor, "batch view"], settings: IDMVAESettings
) -> Float[Tensor, ""]:
    """CrossMI: the contrast of shared posterior means, a mean over pairs of views, times views.

    The authors' code sums over ordered pairs and divides by M - 1, so that the loss is M times the
    mean over pairs that the paper writes; weights are as theirs. Data that lack a view of a pair
    are left out of it; a pair with fewer than two data counts for nothing.
    """
    n_views = len(posteriors)
    found = []
    for one in range(n_views):
        for other in range(one):
            both = present[:, one] & present[:, other]
            if int(both.sum()) > 1:
                first, second = (posteriors[view].mean[both] for view in (one, other))
                found.append(contrast(first, second, settings.temperature))
    if not found:
        return sum(one.mean.sum() * 0 for one in posteriors)  # type: ignore[return-value]
    return n_views * torch.stack(found).mean()


def augmented(
    seen: Seen,
    networks: list[ViewNetworks],
    settings: IDMVAESettings,
    partners: Callable[[int, str, int], Tensor | None],
) -> Float[Tensor, ""]:
    """GenAug: a view is decoded with one of its latents swapped, and the kept one found again.

    `partners(view, kind, n)` gives n latents to swap in, of kind "shared" or "private", or None for
    those of the next datum. Sum over views of half of both losses, as in the authors' code.
    """
    total = sum(one.mean.sum() * 0 for one in (*seen.shared, *seen.private))
    for view, network in enumerate(networks):
        here = seen.present[:, view]
        n_here = int(here.sum())
        if n_here < 2:
            continue
        shared, private = seen.drawn_shared[view][here], seen.drawn_private[view][here]
        others = [
            rolled.roll(1, 0) if (given := partners(view, kind, n_here)) is None else given
            for kind, rolled in (("shared", shared), ("private", private))
        ]
        decoded = network.decode(torch.cat([shared, others[0]]), torch.cat([others[1], private]))
        kept_shared, kept_private = network.seen(decoded).chunk(2)
        with kept_statistics(network):
            found = (network.encode_shared(kept_shared), network.encode_private(kept_private))
        pairs = (
            (seen.shared[view].mean[here], found[0].mean),
            (seen.private[view].mean[here], found[1].mean),
        )
        for before, after in pairs:
            if settings.augment == "contrastive":
                total = total + 0.5 * contrast(before, after, settings.temperature)
            else:
                total = total + 0.5 * (before - after).square().sum(1).mean()
    assert isinstance(total, Tensor)
    return total


def _spent(
    seen: Seen, joint: Posterior, share: Float[Tensor, "batch source"], settings: IDMVAESettings
) -> Float[Tensor, " batch"]:
    """Divergences of shared latents, a mean over sources, and of private ones, their sum."""
    there = seen.present.to(share)
    if settings.gaussian_prior:
        cost = [divergence(one, settings.prior_scale) for one in (joint, *seen.shared)]
        private = [divergence(one, settings.prior_scale) for one in seen.private]
    else:
        cost = [-one.scale.log().sum(1) for one in (joint, *seen.shared)]
        private = [-one.scale.log().sum(1) for one in seen.private]
    shared = (share * torch.stack(cost, 1)).sum(1)
    return shared + (there * torch.stack(private, 1)).sum(1)
