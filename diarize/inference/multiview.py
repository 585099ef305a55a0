"""What a model of several views makes of prepared data: latents, and views made from others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from diarize.config import at_least
from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.tensors import save_tensors
from diarize.corpora.view_sets import ViewSet, open_views
from diarize.errors import BadCall, BadFile
from diarize.formats.text import save_text
from diarize.inference.multiview_results import ABOUT, IDENTITY, AboutViews, is_made
from diarize.models.contract import MultiviewModel
from diarize.training.device import pick_device, threads_of

Prior = Literal["gaussian", "diffusion"]


@dataclass(frozen=True)
class MultiviewInferSettings:
    """The [infer] table of a conf of views.

    Attributes:
        part: what is tried on: "dev" or "test".
        n_train: training data whose latents classifiers may learn from; the first of the part.
        n_tried: data of `part` whose latents are kept; 0 is all.
        n_made: data that views are made of: the first of `part`.
        n_samples: made of each prior.
        batch: data at once.
        seed: of all that is drawn.
        device: "auto" is a GPU where torch sees one.
        threads: of torch on the CPU; 0 leaves them as they are.
    """

    part: Literal["dev", "test"] = "test"
    n_train: int = 10_000
    n_tried: int = 0
    n_made: int = 200
    n_samples: int = 1000
    batch: int = 100
    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        at_least(self, n_train=2, n_tried=0, n_made=2, n_samples=2, batch=1, seed=0, threads=0)


def try_views(
    model: object,
    card: Mapping[str, Any],
    data: Path,
    folder: Path,
    settings: MultiviewInferSettings,
    *,
    name: str | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> AboutViews:
    """Try `model` on what was prepared in `data`; write what comes of it into `folder`.

    `card` is what the file beside its weights says of it, the data it was trained on included:
    data prepared by other settings are refused.

    Raises:
        BadCall: no model of several views, or of others than these.
        BadFile: the data are not there, are broken, or are others.
    """
    if not isinstance(model, MultiviewModel):
        raise BadCall(f"{card['model']['name']}: no model of several views; idmvae would be right")
    trained_on = card.get("data") or {}
    if not {"corpus", "settings"} <= trained_on.keys():
        raise BadFile("the model's card does not say what it was trained on; train it again")
    corpus, table = trained_on["corpus"], _given(trained_on["settings"])
    sets = {
        part: open_views(corpus, data, part, table, "the model's card: data")
        for part in ("train", settings.part)
    }
    tried = sets[settings.part]
    about = AboutViews(
        name or str(card["model"]["name"]),
        str(card["model"]["name"]),
        str(card["checksum"]),
        {"corpus": corpus, "settings": dict(trained_on["settings"])},
        settings.part,
        tuple(model.view_sizes),
        tuple(model.priors),
        dict(tried.labels),
        tried.image_shape,
    )
    n_values = tried.values(np.arange(1)).shape[1]
    if sum(about.view_sizes) != n_values:
        raise BadCall(
            f"{data}: views of {n_values} values together; the model has views of "
            f"{', '.join(map(str, about.view_sizes))}"
        )
    (folder / ABOUT).unlink(missing_ok=True)
    work = _Work(model, settings, about)
    with work.ready():
        jobs = {
            "latents_train": lambda: work.latents(sets["train"], settings.n_train),
            f"latents_{settings.part}": lambda: work.latents(tried, settings.n_tried),
            "made": lambda: work.made(tried),
        } | {f"samples_{prior}": _sampled(work, prior) for prior in model.priors}
        for what, job in jobs.items():
            path = folder / f"{what}.safetensors"
            identity = work.identity(what)
            if is_made(path, identity):
                continue
            notify(what)
            save_tensors(path, job(), {IDENTITY: identity})
    save_text(folder / ABOUT, json.dumps(asdict(about), indent=2) + "\n")
    return about


class _Work:
    """A model on its device, and what it does."""

    def __init__(
        self, model: MultiviewModel, settings: MultiviewInferSettings, about: AboutViews
    ) -> None:
        self.model, self.settings, self.about = model, settings, about
        self.device = pick_device(settings.device)

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """A block in which the model is on its device, and torch has its threads."""
        with threads_of(self.settings.threads), torch.no_grad():
            if isinstance(self.model, nn.Module):
                self.model.to(self.device).eval()
            yield

    def identity(self, what: str) -> str:
        settings = {**asdict(self.settings), "device": "", "threads": 0}
        told = [self.about.checksum, self.about.data, what, settings]
        return json.dumps(told, sort_keys=True, default=str)

    def chance(self, *names: str | int) -> torch.Generator:
        return torch_generator(generator_of(self.settings.seed, *names))

    def latents(self, data: ViewSet, n_wanted: int) -> dict[str, np.ndarray]:
        n_data = min(n_wanted or len(data), len(data))
        found: dict[str, list[np.ndarray]] = {"shared": [], "private": [], "truths": []}
        for chosen in self._batches(n_data):
            values = data.values(chosen)
            latents = self.model.encode_views(self._there(values))
            found["shared"].append(_array(latents.shared_mean))
            found["private"].append(_array(latents.private_mean))
            found["truths"].append(data.truths(chosen))
            if self.about.image_shape is None:  # what latents are held to
                found.setdefault("values", []).append(values)
        return {name: np.concatenate(arrays) for name, arrays in found.items()}

    def made(self, data: ViewSet) -> dict[str, np.ndarray]:
        """Views made of others: names say of what (from 0), those made last."""
        gathered: dict[str, list[np.ndarray]] = {}
        n_made = min(self.settings.n_made, len(data))
        for number, chosen in enumerate(self._batches(n_made)):
            values = self._there(data.values(chosen))
            made = self._made_of(values, self.chance("made", number))
            made |= {
                f"true_{view}": one
                for view, one in enumerate(values.split(list(self.about.view_sizes), 1))
            }
            for name, one in made.items():
                gathered.setdefault(name, []).append(self._kept(one))
            gathered.setdefault("truths", []).append(data.truths(chosen))
        return {name: np.concatenate(arrays) for name, arrays in gathered.items()}

    def samples(self, prior: Prior) -> dict[str, np.ndarray]:
        chance = self.chance("samples", prior)
        gathered: dict[str, list[np.ndarray]] = {}
        for chosen in self._batches(self.settings.n_samples):
            n_here = len(chosen)
            shared = self.model.draw_prior(None, n_here, chance, prior)
            for view in range(len(self.about.view_sizes)):
                private = self.model.draw_prior(view, n_here, chance, prior)
                made = self.model.decode_view(view, shared, private)
                gathered.setdefault(f"sample_{view}", []).append(self._kept(made))
        return {name: np.concatenate(arrays) for name, arrays in gathered.items()}

    def _made_of(self, values: Tensor, chance: torch.Generator) -> dict[str, Tensor]:
        model, views = self.model, range(len(self.about.view_sizes))
        best: Prior = "diffusion" if "diffusion" in model.priors else "gaussian"
        told = model.encode_views(values)
        n_here = len(values)
        made = {}
        for target in views:
            own = told.private_mean[:, target]
            made[f"rebuilt_{target}"] = model.decode_view(target, told.shared_mean[:, target], own)
            fresh = model.draw_prior(target, n_here, chance, best)
            for source in views:
                made[f"across_{source}_{target}"] = model.decode_view(
                    target, told.shared_mean[:, source], fresh
                )
            others = torch.ones(n_here, len(views), dtype=torch.bool, device=values.device)
            others[:, target] = False
            joint = model.encode_views(values, others).joint
            made[f"others_{target}"] = model.decode_view(target, joint, fresh)
            anyone = model.draw_prior(None, n_here, chance, best)
            made[f"swapped_{target}"] = model.decode_view(target, anyone, own)
        return made

    def _batches(self, n_data: int) -> Iterator[Int64[np.ndarray, " chosen"]]:
        for start in range(0, n_data, self.settings.batch):
            yield np.arange(start, min(start + self.settings.batch, n_data))

    def _there(self, values: Float32[np.ndarray, "datum value"]) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    def _kept(self, values: Tensor) -> np.ndarray:
        """Images in 256 steps, all else as it is."""
        found = _array(values)
        if self.about.image_shape is None:
            return found
        return (255 * found.clip(0, 1)).round().astype(np.uint8)


def _sampled(work: _Work, prior: Prior) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: work.samples(prior)


def _array(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.float().cpu().numpy()
    return found


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a conf has them: what is none is left out."""
    return {name: value for name, value in settings.items() if value is not None}
