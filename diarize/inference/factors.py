"""Test images through a model of many betas: latents, ladders, edits, and images from nothing."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diarize.config import at_least
from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.factors import read_set
from diarize.errors import BadCall
from diarize.inference.factors_results import FactorResult, FactorsAbout
from diarize.inference.image_sets import sha256_of

ANCESTRAL = "ancestral"
Notify = Callable[[str, float], None]


@runtime_checkable
class BetaModel(Protocol):
    """A model with latents at many betas, and a way from the highest to the lowest."""

    can_denoise: bool
    stage_one_hash: str

    def check_stages(self, where: str = "the model") -> None:
        """Nothing, if its second stage stands on its first."""
        ...

    def betas(self, n_levels: int) -> list[float]:
        """From the lowest to the highest; one, if it has no more."""
        ...

    def encode(self, images: Tensor, beta: float) -> tuple[Tensor, Tensor]:
        """Means and deviations of latents."""
        ...

    def decode(self, latents: Tensor, beta: float) -> Tensor:
        """Images."""
        ...

    def noisy(self, images: Tensor, beta: float, generator: torch.Generator) -> Tensor:
        """Latents with their noise."""
        ...

    def denoise(
        self,
        latents: Tensor,
        beta: float,
        generator: torch.Generator,
        n_steps: int = 50,
        eta: float = 0.0,
    ) -> Tensor:
        """Those taken down to the lowest beta."""
        ...

    def sample(
        self, n_images: int, generator: torch.Generator, n_steps: int = 50, eta: float = 0.0
    ) -> Tensor:
        """Images from nothing."""
        ...


@dataclass(frozen=True)
class FactorInferSettings:
    """The [infer] table of a conf of a model of many betas.

    Attributes:
        n_images: test images, the first so many; 0 takes all.
        n_levels: betas between the lowest and the highest that latents are taken at.
        n_steps: of the way down where it is deterministic.
        few_steps: with how many steps samples are made deterministically, too.
        ancestral_steps: of the samples that draw noise at each step.
        n_samples: of each kind.
        n_shown: test images in the ladder; of them `n_edited` are edited.
        edit_beta: at which; 0 takes the middle one of the ladder.
        directions: of edits: along each latent, or along the directions in which the latents of
            the test images vary most.
        reach: of an edit to both sides, in deviations.
        n_amounts: of it; odd, so that the middle one is no edit.
        batch: images at once.
        seed: of all noise, and of which images are shown.
        threads: of torch on the CPU; 0 leaves them as they are.
    """

    n_images: int = 10_000
    n_levels: int = 9
    n_steps: int = 50
    few_steps: tuple[int, ...] = (50, 20)
    ancestral_steps: int = 1000
    n_samples: int = 2000
    n_shown: int = 8
    n_edited: int = 2
    edit_beta: float = 0.0
    directions: Literal["latents", "principal"] = "latents"
    reach: float = 2.0
    n_amounts: int = 7
    batch: int = 500
    seed: int = 1
    threads: int = 0

    def __post_init__(self) -> None:
        at_least(
            self,
            n_images=0,
            n_levels=1,
            n_steps=1,
            ancestral_steps=1,
            n_samples=2,
            n_shown=1,
            n_edited=1,
            n_amounts=1,
            batch=1,
            seed=0,
            threads=0,
            edit_beta=0,
        )
        if self.n_amounts % 2 == 0:
            raise BadCall(f"n_amounts = {self.n_amounts}; expected an odd number")
        if any(steps < 1 for steps in self.few_steps):
            raise BadCall(f"few_steps = {list(self.few_steps)}; expected 1 or more each")
        if not 0 < self.reach < math.inf:
            raise BadCall(f"reach = {self.reach}; expected a number above 0")


def infer_factors(
    model: object,
    data: Path,
    settings: FactorInferSettings,
    card: Mapping[str, Any],
    name: str | None = None,
    notify: Notify = lambda step, share: None,
) -> FactorResult:
    """What `model`, whose weights have this `card`, makes of the test images prepared in `data`.

    Raises:
        BadCall: it is no model of many betas, or `edit_beta` is none that it was trained for.
        BadFile: its second stage is of another first one (both hashes are named), or no test
            images are there.
    """
    if not isinstance(model, BetaModel):
        raise BadCall(f"{card['model']['name']}: no model of many betas; multibeta would be right")
    model.check_stages("these weights")
    test = read_set(data, "test")
    images = torch.from_numpy(test.floats()[: settings.n_images or None])
    work = _Work(model, settings, images)
    levels = work.levels(notify)
    notify("edits", 0.6)
    edits = work.edits(levels["means"])
    samples, seconds = work.samples(notify)
    growth, replaced = (getattr(model, part, None) for part in ("growth", "is_replaced"))
    about = FactorsAbout(
        name=name or str(card["model"]["name"]),
        kind=str(card["model"]["name"]),
        checksum=str(card["checksum"]),
        stage_one=model.stage_one_hash,
        test_sha256=sha256_of(data / "test.safetensors"),
        can_denoise=model.can_denoise,
        sigma_growth=0.0 if growth is None else float(growth),
        is_sinusoidal=bool(replaced),
        edit_beta=work.edit_beta,
        amounts=tuple(work.amounts),
        n_steps=settings.n_steps,
        seconds=seconds,
    )
    return FactorResult(**levels, edits=edits, samples=samples, about=about)


class _Work:
    """One model at work on test images."""

    def __init__(self, model: BetaModel, settings: FactorInferSettings, images: Tensor) -> None:
        self.model, self.settings, self.images = model, settings, images
        self.betas = model.betas(settings.n_levels)
        self.edit_beta = settings.edit_beta or self.betas[len(self.betas) // 2]
        half = settings.n_amounts // 2
        self.amounts = [settings.reach * step / max(half, 1) for step in range(-half, half + 1)]
        order = generator_of(settings.seed, "shown").permutation(len(images))
        self.shown = images[np.sort(order[: settings.n_shown])]
        model.encode(self.shown[:1], self.edit_beta)  # refused before any work is done

    def levels(self, notify: Notify) -> dict[str, np.ndarray]:
        """Latents, what they decode to, and what comes of taking them down, at each beta."""
        found: dict[str, list[np.ndarray]] = {
            name: [] for name in ("sigma", "means", "psnr_db", "ladder")
        }
        down: dict[str, list[np.ndarray]] = {"psnr": [], "ladder": []}
        for number, beta in enumerate(self.betas):
            notify(f"beta {beta:g}", 0.6 * number / len(self.betas))
            mean, sigma = self._encoded(beta)
            decoded = self._batched(functools.partial(self.model.decode, beta=beta), mean)
            found["sigma"].append(sigma.mean(0).numpy())
            found["means"].append(mean.numpy())
            found["psnr_db"].append(_psnr_db(self.images, decoded))
            shown, _ = self.model.encode(self.shown, beta)
            found["ladder"].append(_bytes(self.model.decode(shown, beta)))
            if self.model.can_denoise:
                down["psnr"].append(_psnr_db(self.images, self._taken_down(self.images, beta)))
                down["ladder"].append(_bytes(self._taken_down(self.shown, beta)))
        n_values = self.images.shape[1]
        none = np.zeros((0, len(self.images)), np.float32)
        nothing = np.zeros((0, len(self.shown), n_values), np.uint8)
        return {
            "betas": np.array(self.betas, np.float32),
            **{name: np.stack(parts) for name, parts in found.items()},
            "psnr_denoised_db": np.stack(down["psnr"]) if down["psnr"] else none,
            "originals": _bytes(self.shown),
            "ladder_denoised": np.stack(down["ladder"]) if down["ladder"] else nothing,
        }

    def edits(self, means: Float[np.ndarray, "level image latent"]) -> np.ndarray:
        """Some images moved along each direction, taken down if that can be, and decoded.

        The noise of an image is the same in all of its edits.
        """
        model, beta, some = self.model, self.edit_beta, self.shown[: self.settings.n_edited]
        level = int(np.argmin(np.abs(np.log(np.array(self.betas) / beta))))
        directions = torch.from_numpy(_directions(means[level], self.settings.directions))
        if model.can_denoise:
            start = model.noisy(some, beta, self._chance("edits"))
        else:
            start = model.encode(some, beta)[0]
        steps = torch.tensor(self.amounts)[:, None] * directions[:, None]
        moved = start[:, None, None] + steps.to(start)
        flat, lowest = moved.flatten(0, 2), self.betas[0]
        if model.can_denoise:
            chance = self._chance("edits down")
            flat = model.denoise(flat, beta, chance, self.settings.n_steps)
            images = model.decode(flat, lowest)
        else:
            images = model.decode(flat, beta)
        return _bytes(images).reshape(*moved.shape[:3], -1)

    def samples(self, notify: Notify) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Images from nothing by each sampler, and the seconds that each took."""
        if not self.model.can_denoise:
            return {}, {}
        settings = self.settings
        kinds = {ANCESTRAL: (settings.ancestral_steps, 1.0)}
        kinds |= {f"{steps} steps": (steps, 0.0) for steps in settings.few_steps}
        samples, seconds = {}, {}
        for number, (name, (steps, eta)) in enumerate(kinds.items()):
            notify(f"samples, {name}", 0.65 + 0.35 * number / len(kinds))
            began = time.perf_counter()
            made = self.model.sample(settings.n_samples, self._chance("samples"), steps, eta)
            seconds[name] = round(time.perf_counter() - began, 2)
            samples[name] = _bytes(made)
        return samples, seconds

    def _encoded(self, beta: float) -> tuple[Tensor, Tensor]:
        parts = [self.model.encode(some, beta) for some in self.images.split(self.settings.batch)]
        means, sigmas = zip(*parts, strict=True)
        return torch.cat(means), torch.cat(sigmas)

    def _batched(self, made: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
        return torch.cat([made(some) for some in values.split(self.settings.batch)])

    def _taken_down(self, images: Tensor, beta: float) -> Tensor:
        """Images whose latents at `beta` were drawn and taken down to the lowest one."""
        model, chance = self.model, self._chance(f"beta {beta:g}")

        def made(some: Tensor) -> Tensor:
            latents = model.noisy(some, beta, chance)
            latents = model.denoise(latents, beta, chance, self.settings.n_steps)
            return model.decode(latents, self.betas[0])

        return self._batched(made, images)

    def _chance(self, what: str) -> torch.Generator:
        return torch_generator(generator_of(self.settings.seed, what))


def _directions(
    means: Float[np.ndarray, "image latent"], kind: str
) -> Float[np.ndarray, "direction latent"]:
    """Directions as long as latents deviate along them; the largest part of each is positive."""
    if kind == "latents":
        return np.diag(means.std(axis=0))
    values, vectors = np.linalg.eigh(np.cov(means.T))
    found = vectors.T[::-1] * np.sqrt(values[::-1].clip(min=0))[:, None]
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
    return np.asarray((found * np.where(largest < 0, -1, 1)).astype(means.dtype))


def _psnr_db(images: Tensor, found: Tensor) -> np.ndarray:
    error = (images - found).square().mean(1).clamp(min=1e-12)
    return np.asarray((-10 * error.log10()).numpy(), np.float32)


def _bytes(images: Tensor) -> np.ndarray:
    return (255 * images.clamp(0, 1)).round().to(torch.uint8).cpu().numpy()
