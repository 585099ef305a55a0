"""The `[model]` table of a conf whose model is IDMVAE, or what it comes down to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from diarize.errors import BadCall

Kind = Literal["image", "vector", "words"]
Likelihood = Literal["laplace", "gaussian", "categorical"]
SOFTPLUS_OF_0 = 0.6931471805599453


@dataclass(frozen=True)
class ViewSettings:
    """One view: what it is, its networks, and how its likelihood is counted.

    Attributes:
        kind: "image" has `channels` planes of `side` by `side`; "vector" has `n_values`; "words"
            are `length` of `n_words` there are, each given by its number.
        widths: of an image, channels at full size and after each halving; of a vector, the hidden
            layers of the encoder (the decoder has them the other way round); of words, the width of
            a word and then channels, each of which halves the length.
        patch: of an image, pixels a side of the patches that networks see as one place each, their
            values as so many channels; widths are then of these places. The authors' have 1.
        norm: of an image's encoders. "batch" normalises channels over a batch before each
            nonlinearity, and means of shared latents to variance 1 (arXiv 2004.12585): contrasts of
            encoders that know nothing yet first pull all means to one place, and take long to leave
            it. The authors' is "none".
        norm_private: where norm is "batch", means of private latents are normalised too, so that a
            decoder that does not use them yet cannot silence them.
        decoder_step: of an image, what a residual block of its decoder adds counts so much. At the
            authors' .1 a decoder is slow to learn what shared and private latents mean together.
        likelihood: of the values, "categorical" for words alone.
        scale: of that likelihood; where `learned_scale`, at the start.
        weight: of its logarithm in the objective.
        copies: this many such views, with networks of their own each.
    """

    kind: Kind = "image"
    channels: int = 3
    side: int = 64
    n_values: int = 0
    n_words: int = 0
    length: int = 0
    widths: tuple[int, ...] = (64, 128, 256, 512)
    patch: int = 1
    norm: Literal["none", "batch"] = "none"
    norm_private: bool = False
    decoder_step: float = 0.1
    likelihood: Likelihood = "laplace"
    scale: float = 0.75
    learned_scale: bool = False
    weight: float = 1.0
    copies: int = 1

    def __post_init__(self) -> None:
        needed = {
            "image": ("channels", "side"),
            "vector": ("n_values",),
            "words": ("n_words", "length"),
        }[self.kind]
        for name in (*needed, "copies"):
            if getattr(self, name) < 1:
                raise BadCall(f"{name} = {getattr(self, name)} of a view; expected 1 or more")
        if not self.widths or min(self.widths) < 1:
            raise BadCall(f"widths = {list(self.widths)} of a view; expected numbers from 1")
        if (self.kind == "words") != (self.likelihood == "categorical"):
            raise BadCall(
                f"likelihood = {self.likelihood!r} of a view of kind {self.kind!r}; words are "
                "categorical, and nothing else is"
            )
        if self.patch < 1 or self.side % self.patch or (self.patch > 1 and self.kind != "image"):
            raise BadCall(
                f"patch = {self.patch} of a view of kind {self.kind!r}, side {self.side}; expected "
                "1, or of an image a divisor of its side"
            )
        if self.norm != "none" and self.kind != "image":
            raise BadCall(f"norm = {self.norm!r} of a view of kind {self.kind!r}; expected 'none'")
        if self.norm_private and self.norm != "batch":
            raise BadCall("norm_private = true with norm = 'none'; expected norm = 'batch'")
        if self.decoder_step <= 0:
            raise BadCall(f"decoder_step = {self.decoder_step} of a view; expected above 0")
        long = {"image": self.n_places, "words": self.length}.get(self.kind)
        if long is not None and long % 2 ** (len(self.widths) - 1):
            raise BadCall(
                f"{long} cannot be halved {len(self.widths) - 1} times (widths of a view); "
                f"expected a multiple of {2 ** (len(self.widths) - 1)}"
            )
        if self.scale <= 0 or self.weight < 0:
            raise BadCall(
                f"scale = {self.scale}, weight = {self.weight} of a view; expected above 0, and 0 "
                "or more"
            )

    @property
    def n_places(self) -> int:
        """Patches along a side of an image."""
        return self.side // self.patch

    @property
    def size(self) -> int:
        """How many values the view has."""
        sizes = {
            "image": self.channels * self.side**2,
            "vector": self.n_values,
            "words": self.length,
        }
        return sizes[self.kind]


@dataclass(frozen=True)
class DiffusionSettings:
    """The diffusion priors: one of what is shared, one of what is each view's own.

    Attributes:
        weight: of their loss; 0 has none.
        n_steps: levels of noise.
        width: of their networks.
        stop_gradient: they learn of the encoders, and the encoders nothing of them.
        n_sampling: steps of a sample (DDIM).
        eta: chance in these steps: 0 is none, 1 as much as the ancestral sampler has.
        most_weight: a level's error counts as its signal-to-noise ratio, from 1 to at most this.
    """

    weight: float = 0.0
    n_steps: int = 1000
    width: int = 512
    stop_gradient: bool = False
    n_sampling: int = 100
    eta: float = 0.0
    most_weight: float = 100.0

    def __post_init__(self) -> None:
        if self.weight < 0 or self.most_weight < 1 or not 0 <= self.eta <= 1:
            raise BadCall(
                f"weight = {self.weight}, most_weight = {self.most_weight}, eta = {self.eta} of a "
                "diffusion; expected 0 or more, 1 or more, 0 to 1"
            )
        if self.width < 4 or self.width % 2 or not 1 <= self.n_sampling <= self.n_steps:
            raise BadCall(
                f"width = {self.width}, n_sampling = {self.n_sampling} of {self.n_steps} steps; "
                "expected an even width from 4, and no more steps than there are"
            )


@dataclass(frozen=True)
class IDMVAESettings:
    """The model and its objective. With `cross_weight`, `augment_weight` and diffusion at 0 it is
    MMVAE+; with `joint` "product" too, DMVAE.

    Attributes:
        views: what a datum consists of, in the order of its values.
        n_shared, n_private: latents that all views share, and of each view by itself.
        posterior: of latents, "normal" or "laplace"; so is the prior.
        prior_scale: of the prior. The authors' code comes to softplus(0) = .69; 1 is the usual.
        other_scale: of the auxiliary prior of private latents, from which views are rebuilt across,
            at the start; it is learned. Near 0, a decoder can tell such latents from those of the
            view itself, and soon trusts the latter.
        beta: weight of the divergences.
        joint: "mixture", shared latents are drawn of one view's posterior at a time, and views are
            rebuilt across (MMVAE+); "product" of all of them and the prior (DMVAE).
        detach_own: of a mixture, shared latents are taken as given where the view that they come
            from is rebuilt: their encoder learns from other views alone, and what is the view's own
            is left to its private latents. Ours; the authors' encoders learn from both.
        cross_weight: of CrossMI, lambda1: shared latents of the views of one datum are alike.
        augment_weight: of GenAug, lambda2: latents swapped between data are found again.
        augment: how GenAug compares: "contrastive", or "match", the squared distance.
        partner: where the other half comes from in GenAug: the "posterior" of another datum, the
            Gaussian "prior", or the "diffusion" prior.
        temperature: of the contrasts. At a low one, GenAug pays for what is a view's own in shared
            latents about as much as CrossMI charges for it (see the README).
        gaussian_prior: keep the divergence from the simple prior; without it, diffusion replaces it
            and only the entropy of the posterior is kept.
        allow_missing: views of a datum may be missing, in training too.
        diffusion: the diffusion priors.
    """

    views: tuple[ViewSettings, ...] = (ViewSettings(copies=5),)
    n_shared: int = 32
    n_private: int = 128
    posterior: Literal["normal", "laplace"] = "normal"
    prior_scale: float = SOFTPLUS_OF_0
    other_scale: float = SOFTPLUS_OF_0
    beta: float = 2.5
    joint: Literal["mixture", "product"] = "mixture"
    detach_own: bool = False
    cross_weight: float = 80.0
    augment_weight: float = 20.0
    augment: Literal["contrastive", "match"] = "contrastive"
    partner: Literal["posterior", "prior", "diffusion"] = "posterior"
    temperature: float = 1.0
    gaussian_prior: bool = True
    allow_missing: bool = False
    diffusion: DiffusionSettings = field(default_factory=DiffusionSettings)

    def __post_init__(self) -> None:
        if self.n_views < 2:
            raise BadCall(f"{self.n_views} view; expected two or more ([[model.views]], copies)")
        for name in ("n_shared", "n_private"):
            if getattr(self, name) < 1:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 1 or more")
        for name in ("beta", "cross_weight", "augment_weight"):
            if getattr(self, name) < 0:
                raise BadCall(f"{name} = {getattr(self, name)}; expected 0 or more")
        for name in ("prior_scale", "other_scale", "temperature"):
            if getattr(self, name) <= 0:
                raise BadCall(f"{name} = {getattr(self, name)}; expected a number above 0")
        if self.joint == "product" and self.posterior != "normal":
            raise BadCall('joint = "product" of Laplace posteriors; expected posterior = "normal"')
        if self.detach_own and self.joint == "product":
            raise BadCall('detach_own = true with joint = "product"; expected joint = "mixture"')
        if not self.diffusion.weight and (self.partner == "diffusion" or not self.gaussian_prior):
            raise BadCall(
                f"partner = {self.partner!r}, gaussian_prior = {self.gaussian_prior} without a "
                "diffusion; expected diffusion.weight above 0"
            )

    @property
    def each_view(self) -> tuple[ViewSettings, ...]:
        """Every view, copies included."""
        return tuple(
            dataclasses.replace(view, copies=1) for view in self.views for _ in range(view.copies)
        )

    @property
    def n_views(self) -> int:
        """How many views there are."""
        return sum(view.copies for view in self.views)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each view has."""
        return tuple(view.size for view in self.each_view)
