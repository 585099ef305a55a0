"""The multi-beta VAE: one autoencoder for all betas, and a diffusion from the highest down."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diarize.errors import BadCall
from diarize.models.contract import Batch, Losses
from diarize.models.multibeta import stages
from diarize.models.multibeta.config import MultiBetaSettings
from diarize.models.multibeta.levels import (
    SigmaCurve,
    beta_at,
    growth_exponent,
    in_use,
    schedule_of,
    trained_levels,
)
from diarize.models.multibeta.network import SMALLEST_LOG_SIGMA, Decoder, DiffusionNet, Encoder
from diarize.models.multibeta.objective import (
    Autoencoded,
    Denoised,
    autoencoder_loss,
    diffusion_loss,
)
from diarize.models.multibeta.use import ManyBetas

PHASES = ("autoencoder", "diffusion")
_STAGE_ONE = ("encoder", "decoder", "curve")


class MultiBetaVAE(ManyBetas):
    """The model and its training, for `diarize.training`.

    Phase "autoencoder" trains encoder, decoder and the curve of sigma, at betas of chance. Phase
    "diffusion" keeps them and trains the way down. A model of one beta has the first phase alone.

    Source: "Denoising Multi-Beta VAE", arXiv 2507.06613. What is ours in it is in the README.
    """

    settings_type = MultiBetaSettings
    phases: tuple[str, ...] = PHASES
    growth: Tensor
    is_replaced: Tensor
    n_epochs: Tensor

    def __init__(self, settings: MultiBetaSettings) -> None:
        super().__init__()
        self.settings = settings
        self.phases = PHASES if settings.has_levels else PHASES[:1]
        self.encoder, self.decoder = Encoder(settings), Decoder(settings)
        self.curve: SigmaCurve | None = None
        self.network: DiffusionNet | None = None
        if settings.noise == "level":
            self.curve = SigmaCurve(settings.n_latents, settings.n_knots)
        self.n_steps = settings.diffusion.n_steps
        if settings.has_levels:
            self.network = DiffusionNet(settings)
        shape = (self.n_steps + 1, settings.n_latents)
        self.register_buffer("schedule", torch.zeros(shape))  # of the second stage, at its levels
        self.register_buffer("growth", torch.tensor(0.0))
        self.register_buffer("is_replaced", torch.tensor(False))
        self.register_buffer("stage_one", torch.tensor(list(stages.NONE), dtype=torch.uint8))
        self.widens = bool(settings.first_betas)
        if self.widens:  # epochs of the first phase that are done
            self.register_buffer("n_epochs", torch.tensor(0))
        self._phase = ""
        self._taken = ""  # the hash of stage one that came from a file
        self.register_load_state_dict_post_hook(_check_loaded)

    def begin(self, phase: str) -> None:
        """Set modes for a phase; the second notes which first stage it stands on, and its noise.

        Raises:
            BadFile: `stage_one` is not there, is of another model, or has another hash than was
                wanted; or the second stage was trained over other weights than are here.
        """
        if phase not in self.phases:
            there = "is" if len(self.phases) == 1 else "are"
            raise BadCall(f"no phase {phase!r}; there {there} {', '.join(self.phases)}")
        self._phase = phase
        self.train()
        is_first = phase == PHASES[0]
        for name, module in self.named_children():
            module.requires_grad_((name in _STAGE_ONE) == is_first)
        if not is_first:
            self._begin_diffusion()

    def loss(self, batch: Batch, generator: torch.Generator) -> Losses:
        """What the images of a batch cost in the present phase, each at a level of chance."""
        images = self._checked(batch.inputs)
        if self._phase == PHASES[1]:
            return self._diffusion_loss(images, generator)
        low, high = trained_levels(self.settings, int(self.n_epochs) if self.widens else 0)
        level = low + (high - low) * self._rand(len(images), generator).to(images)
        mean, log_sigma = self._encoded(images, level)
        noise = self._randn(mean.shape, generator).to(mean)
        decoded = self.decoder(mean + log_sigma.exp() * noise, level)
        made = Autoencoded(images, decoded, mean, log_sigma, beta_at(level, self.settings))
        return autoencoder_loss(made, self.settings.scale, self.settings.rescaling)

    def end_epoch(self) -> Mapping[str, float]:
        """How sigma grows with the level, its ends, and whether it had to be replaced."""
        if self.widens and self._phase == PHASES[0]:
            self.n_epochs += 1
        if self.curve is None or not self.settings.has_levels:
            return {}
        with torch.no_grad():
            learned = self._learned()
        told = {"sigma_growth": growth_exponent(learned)}
        told["latents_in_use"] = float(in_use(learned).sum())
        told |= {"sigma_first": float(learned[0].mean()), "sigma_last": float(learned[-1].mean())}
        if self._phase == PHASES[1]:
            told["sinusoidal"] = float(self.is_replaced)
        return told

    @property
    def stage_one_hash(self) -> str:
        """What the weights of the first stage come to, in hexadecimal digits."""
        return stages.hash_of(*self._first_stage().values()).hex()

    def check_stages(self, where: str = "the model") -> None:
        """Nothing, if the second stage stands on the first one that is here.

        Raises:
            BadFile: on another; the message names both hashes.
        """
        if self.can_denoise:
            wanted = stages.as_bytes(self.stage_one).hex()
            stages.check_same(wanted, self.stage_one_hash, where)

    def _begin_diffusion(self) -> None:
        own = self.settings
        before = stages.as_bytes(self.stage_one)
        if own.stage_one is not None and before == stages.NONE:
            modules = {name: one for name, one in self.named_children() if name in _STAGE_ONE}
            stages.take_weights(own.stage_one, modules)
            self._taken = self.stage_one_hash
        found = self.stage_one_hash
        if own.stage_one_hash:
            stages.check_same(own.stage_one_hash, found, str(own.stage_one or "this training"))
        if before != stages.NONE:
            stages.check_same(before.hex(), found, "this training")
        self.stage_one.copy_(torch.tensor(list(bytes.fromhex(found)), dtype=torch.uint8))
        with torch.no_grad():
            learned, told = self._learned(), own.diffusion
            schedule, growth, replaced = schedule_of(learned, told.schedule, told.least_growth)
            self.schedule.copy_(schedule)
            self.growth.fill_(growth)
            self.is_replaced.fill_(replaced)

    def _diffusion_loss(self, images: Tensor, generator: torch.Generator) -> Losses:
        """The cost of guessing noise and movement between two levels, the lower one any below.

        Short steps are drawn more often than long ones: the gap is a share of the level whose
        square root is even.
        """
        assert self.network is not None
        n_images, n_steps = len(images), self.n_steps
        here = (self._rand(n_images, generator) * n_steps).floor().add(1).clamp(max=n_steps)
        gap = (here * self._rand(n_images, generator).square()).ceil()
        here = here.to(images)
        there = here - gap.to(images).clamp(min=1)
        with torch.no_grad():
            both = torch.cat([here, there]) / n_steps
            mean, lower = self._encoded(images.repeat(2, 1), both)[0].chunk(2)
        noise = self._randn(mean.shape, generator).to(mean)
        sigma = self.schedule[here.long()]
        guess, rate = self.network(mean + sigma * noise, sigma, here / n_steps, there / n_steps)
        true_rate = (lower - mean) / ((here - there) / n_steps)[:, None]
        if self.network.moving is None:
            true_rate = torch.zeros_like(rate)
        return diffusion_loss(
            Denoised(guess, noise, rate, true_rate), self.settings.diffusion.delta_weight
        )

    def _learned(self) -> Float[Tensor, "level latent"]:
        assert self.curve is not None
        level = torch.linspace(0, 1, self.n_steps + 1, device=self.schedule.device)
        return self.curve(level).clamp(min=SMALLEST_LOG_SIGMA).exp()

    def _first_stage(self) -> dict[str, nn.Module]:
        return {name: one for name, one in self.named_children() if name in _STAGE_ONE}

    def _rand(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.rand(count, generator=generator, device=generator.device)


def _check_loaded(model: MultiBetaVAE, _: object) -> None:
    """A training of the second stage that goes on must stand on the same file as it began with."""
    if model._taken and model._phase == PHASES[1]:
        stored = stages.as_bytes(model.stage_one)
        if stored != stages.NONE:
            where = f"{model.settings.stage_one} was changed since this training began"
            stages.check_same(stored.hex(), model._taken, where)
