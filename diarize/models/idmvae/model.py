"""IDMVAE: views of one thing, split into what they share and what is each view's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses, ViewLatents
from diarize.models.idmvae.config import IDMVAESettings
from diarize.models.idmvae.latents import drawn, product
from diarize.models.idmvae.networks import ViewNetworks
from diarize.models.idmvae.objective import (
    Bound,
    Seen,
    augmented,
    cross_view,
    mixture_bound,
    product_bound,
)
from diarize.models.idmvae.prior import DiffusionPrior

PHASES = ("contrast", "views")


class IDMVAE(nn.Module):
    """The model; a `Trainable` of phases "contrast" and "views", and a `MultiviewModel`.

    The first, which may be left out, trains the shared encoders by CrossMI alone; it is ours.
    """

    settings_type = IDMVAESettings
    phases: tuple[str, ...] = PHASES

    def __init__(self, settings: IDMVAESettings) -> None:
        super().__init__()
        self.settings = settings
        self.phases = PHASES if settings.cross_weight else PHASES[1:]
        self._phase = ""
        self.networks = nn.ModuleList(
            ViewNetworks(view, settings.n_shared, settings.n_private) for view in settings.each_view
        )
        crosses = settings.joint == "mixture"
        begun = math.log(math.expm1(settings.other_scale))  # softplus comes to other_scale
        self.other_scales = nn.ParameterList(
            nn.Parameter(torch.full((settings.n_private,), begun)) for _ in self.networks if crosses
        )
        self.shared_prior: DiffusionPrior | None = None
        self.private_priors: nn.ModuleList | None = None
        if settings.diffusion.weight:
            self.shared_prior = DiffusionPrior(settings.n_shared, settings.diffusion)
            self.private_priors = nn.ModuleList(
                DiffusionPrior(settings.n_private, settings.diffusion) for _ in self.networks
            )

    @property
    def view_sizes(self) -> tuple[int, ...]:
        """How many values each view has."""
        return self.settings.sizes

    def begin(self, phase: str) -> None:
        """Set modes for a phase: in "contrast" the shared encoders learn, in "views" all.

        Raises:
            BadCall: no such phase; one of CrossMI alone is none where that has no weight.
        """
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        alone = phase == PHASES[0]
        self._phase = phase
        self.train()
        self.requires_grad_(not alone)
        if alone:
            for network in self._each():  # but for the deviations, of which CrossMI says nothing
                network.shared.requires_grad_(True)
                network.shared.scale.requires_grad_(False)

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What a batch of `Views` costs, in nats a datum.

        Contrasts are between the data of a batch: what it costs hangs on its size.

        Raises:
            BadCall: other values than the views have, views missing where none may, or a datum
                without any.
        """
        present, settings = getattr(batch, "present", None), self.settings
        if self._phase == PHASES[0]:
            views, there = self._checked(batch.inputs, present, settings.allow_missing)
            pairs = zip(self._each(), views, strict=True)
            cost = cross_view([own.encode_shared(one) for own, one in pairs], there, settings)
            return Losses(cost, {"cross": cost.detach()})
        seen = self._seen(batch.inputs, present, generator)
        bound = self._bound(seen, generator)
        total = bound.total
        parts = {"reconstruction": bound.reconstruction, "divergence": bound.divergence}
        if settings.cross_weight:
            cost = cross_view(seen.shared, seen.present, settings)
            parts["cross"] = cost.detach()
            total = total + settings.cross_weight * cost
        if settings.augment_weight:

            def partners(view: int, kind: str, n_wanted: int) -> Tensor | None:
                return self._partners(view, kind, n_wanted, generator)

            cost = augmented(seen, self._each(), settings, partners)
            parts["augment"] = cost.detach()
            total = total + settings.augment_weight * cost
        if settings.diffusion.weight:
            cost = self._diffusion_cost(seen, generator)
            parts["diffusion"] = cost.detach()
            total = total + settings.diffusion.weight * cost
        return Losses(total, parts)

    def end_epoch(self) -> Mapping[str, float]:
        """Nothing is kept over an epoch."""
        return {}

    @torch.no_grad()
    def encode_views(
        self,
        values: Float[Tensor, "batch value"],
        present: Bool[Tensor, "batch view"] | None = None,
    ) -> ViewLatents:
        """What the encoders say of each view, and of all that are there together.

        Latents of a view that is missing are at their prior. Missing views are allowed here,
        however the model was trained, as long as a datum has one.
        """
        views, there = self._checked(values, present, allow_missing=True)
        found = [network.encode(one) for network, one in zip(self._each(), views, strict=True)]
        kinds = []
        for kind in (0, 1):
            means = torch.stack([one[kind].mean for one in found], 1)
            scales = torch.stack([one[kind].scale for one in found], 1)
            means = means.masked_fill(~there[..., None], 0.0)
            kinds += [means, scales.masked_fill(~there[..., None], self.settings.prior_scale)]
        if self.settings.joint == "product":
            joint = product([one[0] for one in found], there, self.settings.prior_scale).mean
        else:
            joint = kinds[0].sum(1) / there.sum(1, keepdim=True)
        return ViewLatents(kinds[0], kinds[1], kinds[2], kinds[3], joint)

    @torch.no_grad()
    def decode_view(
        self,
        view: int,
        shared: Float[Tensor, "batch shared"],
        private: Float[Tensor, "batch private"],
    ) -> Float[Tensor, "batch value"]:
        """What a view (from 0) looks like."""
        network = self._each()[view]
        return network.shown(network.decode(shared, private))

    @torch.no_grad()
    def draw_prior(
        self,
        view: int | None,
        n_samples: int,
        generator: torch.Generator,
        prior: Literal["gaussian", "diffusion"] = "gaussian",
    ) -> Float[Tensor, "batch latent"]:
        """Latents of a prior: of one view's own, or with `view` None those that all share.

        Raises:
            BadCall: a model without diffusion priors is asked for those.
        """
        settings = self.settings
        if prior == "diffusion":
            if self.shared_prior is None or self.private_priors is None:
                raise BadCall("this model has no diffusion priors; gaussian would be right")
            own = self.shared_prior if view is None else self.private_priors[view]
            assert isinstance(own, DiffusionPrior)
            return own.sample(n_samples, generator)
        n_latent = settings.n_shared if view is None else settings.n_private
        home = next(self.parameters())
        middle = torch.zeros(n_samples, n_latent).to(home)
        return drawn(settings.posterior, middle, middle + settings.prior_scale, generator)

    @property
    def priors(self) -> tuple[Literal["gaussian", "diffusion"], ...]:
        """Which priors can be drawn from."""
        return ("gaussian", "diffusion") if self.shared_prior is not None else ("gaussian",)

    def _each(self) -> list[ViewNetworks]:
        return [one for one in self.networks if isinstance(one, ViewNetworks)]

    def _bound(self, seen: Seen, generator: torch.Generator) -> Bound:
        if self.settings.joint == "product":
            return product_bound(seen, self._each(), self.settings, generator)
        scales = [functional.softplus(one) + 1e-8 for one in self.other_scales]
        return mixture_bound(seen, self._each(), self.settings, scales, generator)

    def _seen(self, values: Tensor, present: Tensor | None, generator: torch.Generator) -> Seen:
        views, there = self._checked(values, present, self.settings.allow_missing)
        found = [network.encode(one) for network, one in zip(self._each(), views, strict=True)]
        shared, private = [one for one, _ in found], [one for _, one in found]
        shape = self.settings.posterior
        draws = [
            [drawn(shape, one.mean, one.scale, generator) for one in kind]
            for kind in (shared, private)
        ]
        return Seen(views, there, shared, private, draws[0], draws[1])

    def _partners(
        self, view: int, kind: str, n_wanted: int, generator: torch.Generator
    ) -> Tensor | None:
        settings = self.settings
        if settings.partner == "posterior":
            return None
        where = None if kind == "shared" else view
        prior: Literal["gaussian", "diffusion"] = (
            "gaussian" if settings.partner == "prior" else "diffusion"
        )
        return self.draw_prior(where, n_wanted, generator, prior)

    def _diffusion_cost(self, seen: Seen, generator: torch.Generator) -> Float[Tensor, ""]:
        """Of posterior means, a mean over the views that are there."""
        assert self.shared_prior is not None
        assert self.private_priors is not None
        costs = []
        for view, own in enumerate(self.private_priors):
            assert isinstance(own, DiffusionPrior)
            shared = self.shared_prior.cost(seen.shared[view].mean, generator)
            costs.append(shared + own.cost(seen.private[view].mean, generator))
        there = seen.present.to(costs[0])
        return ((torch.stack(costs, 1) * there).sum(1) / there.sum(1)).mean()

    def _checked(
        self, values: Tensor, present: Tensor | None, allow_missing: bool
    ) -> tuple[list[Tensor], Tensor]:
        """The views one by one, zeros for those that are missing, and which are there."""
        sizes = self.view_sizes
        if values.ndim != 2 or values.shape[1] != sum(sizes):
            raise BadCall(
                f"data of shape {tuple(values.shape)}; expected batch x {sum(sizes)}, for "
                f"{len(sizes)} views of {', '.join(map(str, sizes))} values"
            )
        if present is None:
            present = torch.ones(len(values), len(sizes), dtype=torch.bool, device=values.device)
        if tuple(present.shape) != (len(values), len(sizes)):
            raise BadCall(
                f"{tuple(present.shape)} says which views are there; expected "
                f"{(len(values), len(sizes))}, a column for each of the {len(sizes)} views"
            )
        if not allow_missing and not bool(present.all()):
            row, view = (~present).nonzero()[0].tolist()
            raise BadCall(
                f"datum {row} lacks view {view}, and this model allows none to be missing; "
                "allow_missing = true in [model] would be right"
            )
        if not bool(present.any(1).all()):
            raise BadCall("a datum without any view; each must have one at least")
        views = [
            one.masked_fill(~present[:, view, None], 0.0)
            for view, one in enumerate(values.split(list(sizes), 1))
        ]
        if not all(bool(one.isfinite().all()) for one in views):
            raise BadCall("data with values that are NaN or infinite")
        return views, present
