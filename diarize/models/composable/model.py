"""The model: latents of components, one decoder for all of them, and a prior of the latents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.corpora.latent_windows import LatentWindows
from diarize.errors import BadCall
from diarize.models.composable import objective, visits
from diarize.models.composable.config import ComposableSettings
from diarize.models.composable.network import Encoder, UNet
from diarize.models.composable.sampler import blended, clean_of, composed
from diarize.models.composable.view import Heard, View, codec_of
from diarize.models.contract import Batch, Losses

LEAST_NOISE = 0.05  # by which errors are divided at most, in form "difference"
Latents = Float[Tensor, "batch component width frame"]
Data = Float[Tensor, "batch channel frame"]
Components = Float[Tensor, "batch component channel frame"]


class Composable(nn.Module):
    """The model and its training, for `diarize.training`; a `contract.Separator`.

    Its phases: "compose", as published: components, composed, are to be the mixture; "visit": of
    each batch, the windows that one component has for itself are mixed anew, and the decoder
    learns what it meets when it separates, noisy components; "prior": latents of a model whose
    other parts stay as they are. No phase looks at the stems of a batch.

    Source: G. Bindi and P. Esling, "Unsupervised Composable Representations for Audio", arXiv
    2408.09792, and its code; "visit", shares and guidance are ours.
    """

    settings_type = ComposableSettings
    phases = ("compose", "visit", "prior")
    seen: Tensor
    latent_total: Tensor
    latent_squares: Tensor

    def __init__(self, settings: ComposableSettings) -> None:
        super().__init__()
        codec, self.settings = codec_of(settings)
        settings = self.settings
        self.sources, self.rate_hz = settings.names, settings.rate_hz
        self.window_s, self.n_steps, self.seed = settings.window_s, settings.n_steps, 0
        self.adapt = settings.adapt
        self.view = View(codec, settings)
        n, width = self.view.n_channels, settings.width
        self.encoders = nn.ModuleList(
            Encoder(n, settings.encoder, settings.encoder_kernel, width) for _ in self.sources
        )
        n_seen = 2 * n + 1 if settings.guided else n
        self.decoder = UNet(n_seen, n, width, settings.decoder)
        n_latents = settings.n_components * width
        self.prior = UNet(n_latents, n_latents, settings.n_components, settings.prior)
        for name in ("latent_total", "latent_squares"):
            self.register_buffer(name, torch.zeros(n_latents, dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
        self.phase = "compose"

    @property
    def adapts(self) -> bool:
        """Whether there are shares that can be fitted to a recording."""
        return self.settings.output == "shares"

    def begin(self, phase: str) -> None:
        """Set modes and what is to be trained for `phase`."""
        if phase not in self.phases:
            raise BadCall(f"no phase {phase!r}; there are {', '.join(self.phases)}")
        self.phase = phase
        self.requires_grad_(False)
        wanted = (self.prior,) if phase == "prior" else (self.encoders, self.decoder)
        for part in wanted:
            part.requires_grad_(True)
        self.train()

    def end_epoch(self) -> Mapping[str, float]:
        """Nothing is done once an epoch."""
        return {}

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What the mixtures in `batch.inputs`, (batch, 1, time), cost in the present phase.

        Of `LatentWindows`, (batch, latent, frame), no codec has to run.

        Raises:
            BadCall: these are of another codec, or the phase is "visit", which is in need of sound.
        """
        heard = self._heard(batch)
        if self.phase == "prior":
            parts = {"prior": self._prior_cost(heard, generator)}
            return _weighed(parts, {"prior": 1.0})
        weights = self.settings.losses
        if self.phase == "compose":
            parts = self._composition(heard.data, generator)
            return _weighed(parts, dict.fromkeys(("composition", "continuity", "register"), 1.0))
        parts = self._visits(batch.inputs, heard, generator)
        if weights.keep:
            n_rows = max(1, round(weights.keep_rows * len(heard.data)))
            parts |= self._composition(heard.data[:n_rows], generator)
        return _weighed(parts, {
            "visits": weights.visits, "shares": weights.shares,
            **dict.fromkeys(("composition", "continuity", "register"), weights.keep),
        })  # fmt: skip

    def separate(
        self, mixture: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch source time"]:
        """The sound of each component, in `n_steps` steps from noise that `seed` draws."""
        from diarize.models.composable.separate import separate

        return separate(self, mixture)

    def encode(self, data: Data) -> Latents:
        """The latents of each component."""
        return torch.stack([encoder(data) for encoder in self.encoders], 1)

    def decode(
        self,
        noisy: Components,
        level: Float[Tensor, " batch"],
        latents: Latents,
        guide: Data | None,
        generator: torch.Generator | None = None,
        hidden: Float[Tensor, "batch 1 1"] | None = None,
    ) -> Components:
        """Components without noise, each from its own noisy data and its own latents.

        Where the model is guided, by the data of the mixture; `hidden` is 1 for the rows from which
        that is kept, and without a `guide` it is kept from all.
        """
        n_components = noisy.shape[1]
        seen = noisy.flatten(0, 1)
        if self.settings.guided:
            if guide is None:
                guide, hidden = torch.zeros_like(noisy[:, 0]), noisy.new_ones(len(noisy), 1, 1)
            hidden = guide.new_zeros(len(guide), 1, 1) if hidden is None else hidden
            shown = torch.cat([guide * (1 - hidden), hidden.expand(-1, 1, guide.shape[2])], 1)
            seen = torch.cat([seen, shown.repeat_interleave(n_components, 0)], 1)
        at = level.repeat_interleave(n_components)
        made = self.decoder(seen, at, latents.flatten(0, 1), generator)
        if self.settings.form == "difference":
            made = clean_of(made, noisy.flatten(0, 1), at)
        return made.view_as(noisy)

    def compose(self, components: Components) -> Data:
        """The mixture of components, by the operator of the settings."""
        if not self.view.is_levels:
            return composed(components, self.settings.operator)
        plain = composed(self.view.plain(components), self.settings.operator, logarithmic=True)
        return self.view.normalised(plain)

    def shares(self, components: Components) -> Float[Tensor, "batch component latent frame"]:
        """What part of each latent of the mixture is each component's; they add up to 1."""
        powers = self.view.log_powers(components) * self.settings.sharpness
        return self.view.spread(powers.softmax(1))

    def standard(self, latents: Latents, *, back: bool = False) -> Latents:
        """Latents with mean 0 and variance 1, as the prior has them, or the way back."""
        if not self.seen:
            return latents
        mean = self.latent_total / self.seen
        spread = (self.latent_squares / self.seen - mean.square()).clamp(min=1e-8).sqrt()
        shape = (1, *latents.shape[1:3], 1)
        mean, spread = mean.view(shape).to(latents), spread.view(shape).to(latents)
        return latents * spread + mean if back else (latents - mean) / spread

    def _heard(self, batch: Batch) -> Heard:
        count = self.training and self.phase != "prior"
        if not isinstance(batch, LatentWindows):
            return self.view.hear(batch.inputs, count=count)
        settings = self.settings
        own = f"codec {settings.codec!r}, {settings.n_latents} a frame at {settings.rate_hz} Hz"
        if (found := batch.inputs.shape[1]) != settings.n_latents:
            raise BadCall(f"latents of {found} numbers a frame; this model is for {own}")
        others = batch.codec[batch.codec != int(self.view.fingerprint, 16)]
        if len(others):
            raise BadCall(
                f"latents by codec {int(others[0]):012x}; this model is for {own}: "
                f"{self.view.fingerprint}"
            )
        if self.phase == "visit":
            raise BadCall(
                "phase 'visit' makes mixtures of sound, and there are latents alone; expected "
                "epochs = 0, or corpus = 'stems'"
            )
        return self.view.hear_latents(batch.inputs, batch.loudness, count=count)

    def _composition(self, data: Data, generator: torch.Generator) -> dict[str, Tensor]:
        noise, level = _drawn(data.shape, data, generator), _uniform(len(data), data, generator)
        noisy = blended(data, noise, level)
        every = noisy[:, None].expand(-1, len(self.sources), -1, -1)
        hidden = (_uniform(len(data), data, generator) < self.settings.unguided).to(data)
        made = self.decode(every, level, self.encode(data), data, generator, hidden.view(-1, 1, 1))
        error = (self.compose(made) - data).square().mean((1, 2))
        if self.settings.form == "difference":
            error = error / (1 - level).clamp(min=LEAST_NOISE).square()
        parts = {"composition": error.mean()}
        losses = self.settings.losses
        if losses.steady or losses.even or losses.high or losses.low:
            logs = self.view.log_powers(made)
            mixture = self.view.log_powers(data)[:, None].exp()
            powers = (logs * self.settings.sharpness).softmax(1) * mixture
            parts["continuity"] = objective.continuity(powers, losses)
            if losses.high or losses.low:
                octaves = self.view.octaves(losses.split_hz)
                parts["register"] = objective.register(powers, octaves, losses)
        return parts

    def _visits(self, sound: Tensor, heard: Heard, generator: torch.Generator) -> dict[str, Tensor]:
        """Made mixtures of what one component has for itself, and what they cost."""
        n = len(self.sources)
        with torch.no_grad():
            noise = _drawn(heard.data.shape, heard.data, generator)
            shares = self.shares(self._first_guess(heard.data, noise))
            alone = visits.made(self, sound, heard, shares, generator)
            made = self.view.hear(alone.sum(1, keepdim=True))
            each = (alone / made.loudness).flatten(0, 1)[:, None]
            encoded = self.view.codec.encode(each).latents
            targets = self.view.normalised(self.view._plain(encoded)).unflatten(0, (-1, n))
            encoded = encoded.unflatten(0, (-1, n))
        noise = _drawn(targets.shape, sound, generator)
        level = _uniform(len(targets), sound, generator)
        if unseen := self.settings.losses.unseen:
            level = level * (_uniform(len(level), sound, generator) >= unseen)
        noisy = blended(targets, noise, level)
        said = self.decode(noisy, level, self.encode(made.data), made.data, generator)
        parts = {"visits": (said - targets).square().mean()}
        parts["shares"] = objective.share_cost(self.shares(said), made.encoded.latents, encoded)
        return parts

    def _first_guess(self, data: Data, noise: Data) -> Components:
        level = data.new_zeros(len(data))
        every = noise[:, None].expand(-1, len(self.sources), -1, -1)
        return self.decode(every, level, self.encode(data), data)

    def _prior_cost(self, heard: Heard, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            latents = self.encode(heard.data)
            if self.training:
                self._count(latents)
            clean = self.standard(latents)
        drawn = torch.rand(len(clean), 2, generator=generator, device=generator.device).to(clean)
        masked = objective.masks_of(drawn, len(self.sources), self.settings.all_masked)
        noise, level = _drawn(clean.shape, clean, generator), _uniform(len(clean), clean, generator)
        hidden = masked[:, :, None, None]
        noisy = hidden * blended(clean, noise, level) + (1 - hidden) * clean
        made = self.predict_latents(noisy, level, masked, generator)
        return (made - clean).square().mean()

    def predict_latents(
        self,
        noisy: Latents,
        level: Float[Tensor, " batch"],
        masked: Float[Tensor, "batch component"],
        generator: torch.Generator | None = None,
    ) -> Latents:
        """The prior's word on standardised latents, of which those that are masked are noisy."""
        told = masked[:, :, None].expand(-1, -1, noisy.shape[3])
        return self.prior(noisy.flatten(1, 2), level, told, generator).view_as(noisy)

    @torch.no_grad()
    def _count(self, latents: Latents) -> None:
        if self.seen >= self.settings.view.counted:
            return
        values = latents.detach().double().flatten(1, 2)
        self.latent_total += values.mean(2).sum(0)
        self.latent_squares += values.square().mean(2).sum(0)
        self.seen += len(values)


def _weighed(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Losses:
    terms = [weights[name] * value for name, value in parts.items()]
    total = torch.stack(terms).sum()
    return Losses(total, {name: value.detach() for name, value in parts.items()})


def _drawn(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device).to(like)


def _uniform(n_rows: int, like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(n_rows, generator=generator, device=generator.device).to(like)
