"""Mixtures of images, attributed and separated by a model: set by set, finished ones kept."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from diarize.config import at_least
from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.digit_mixtures import DigitMixtures, read_mixtures
from diarize.errors import BadCall, BadFile
from diarize.inference.image_batches import Gathered, batches
from diarize.inference.image_results import (
    MODES,
    About,
    ImageResult,
    Mode,
    Origin,
    Seconds,
    is_result,
    place,
    save_about,
    save_result,
)
from diarize.inference.image_sets import prepared_sets, sha256_of
from diarize.models.contract import Attribution, Autoencoder, MixtureModel
from diarize.training.device import pick_device, threads_of

TIMED_ALONE = 20  # batches that are encoded and decoded once more, for their time
_FREE = ("sets", "given", "unknown")  # what decides which results there are, and no result


@dataclass(frozen=True)
class ImageInferSettings:
    """The [infer] table of a conf of images.

    Attributes:
        sets: of mixtures; none are all that were prepared to test on.
        given: tell the model how many sources each mixture has.
        unknown: do not.
        n_samples: draws of the latents; 0 takes them at their mean.
        batch: mixtures at once; the paper's, by which seconds are told.
        seed: of the draws.
        device: "auto" is a GPU where torch sees one.
        threads: of torch on the CPU; 0 leaves them as they are.
    """

    sets: tuple[str, ...] = ()
    given: bool = True
    unknown: bool = True
    n_samples: int = 0
    batch: int = 125
    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        at_least(self, n_samples=0, batch=1, seed=0, threads=0)
        if not (self.given or self.unknown):
            raise BadCall("given = false and unknown = false; expected one of them at least")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Which of the modes are wanted."""
        return tuple(mode for mode in MODES if getattr(self, mode))


def origin_of(model: object, card: Mapping[str, Any], name: str | None = None) -> Origin:
    """Where results of `model` come from, by what its `card` says of it and its training."""
    data = card.get("data", {}).get("settings", {})
    state = dict(model.named_buffers()) if isinstance(model, nn.Module) else {}
    learned = {}
    for buffer, word in (("presence", "pi"), ("scale", "b")):
        if buffer in state:
            learned[word] = state[buffer].tolist()
    presence = data.get("presence")
    if chances := data.get("presence_by_count"):
        n_streams = len(data.get("classes", ())) + data.get("n_letters", 0)
        mean = sum(count * chance for count, chance in enumerate(chances))
        presence = mean / n_streams if n_streams else None
    kind = str(card["model"]["name"])
    return Origin(
        name or kind,
        kind,
        str(card["checksum"]),
        data.get("labelled_share"),
        presence,
        data.get("noise_scale"),
        learned,
    )


def attribute_sets(
    model: object,
    data: Path,
    folder: Path,
    settings: ImageInferSettings,
    origin: Origin,
    notify: Callable[[str, float], None] = lambda step, share: None,
) -> About:
    """Attribute the prepared sets of `data` by `model`; write results into `folder`.

    Those that were finished by the same model and settings before are kept. Sets that the model
    cannot do in a mode, because it must know how many sources there are, or can have no other
    number, are left out, with the reason in what comes back.

    Raises:
        BadCall: the model is not one of mixtures, or can do none of this.
        BadFile: a set that is not there, is broken, or is of other streams than the model.
    """
    if not isinstance(model, MixtureModel):
        raise BadCall(f"{origin.kind}: a model that says nothing of mixtures; msvae would be right")
    there: dict[str, tuple[Mode, ...]] = {}
    missing: dict[str, str] = {}
    work = _Work(model, settings, origin)
    names = settings.sets or prepared_sets(data)
    with work.ready():
        for number, name in enumerate(names):
            path = data / f"{name}.safetensors"
            truth = read_mixtures(path)
            told = {"set": name, "set_sha256": sha256_of(path)}
            for part, mode in enumerate(settings.modes):
                done = (number + part / len(settings.modes)) / len(names)
                notify(f"{name}, K {mode}", done)
                identity = work.identity(told, mode)
                if not is_result(place(folder, name, mode), identity):
                    try:
                        result = work.attribute(truth, mode, identity)
                    except BadCall as error:
                        missing[f"{name} {mode}"] = str(error)
                        continue
                    save_result(place(folder, name, mode), result)
                there[name] = (*there.get(name, ()), mode)
    if not there:
        raise BadCall(next(iter(missing.values())))
    about = About(origin, there, missing)
    save_about(folder, about)
    return about


class _Work:
    """A model on its device, and what it does to one set."""

    def __init__(self, model: MixtureModel, settings: ImageInferSettings, origin: Origin) -> None:
        self.model, self.settings, self.origin = model, settings, origin
        self.device = pick_device(settings.device)

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """A block in which the model is on its device, and torch has its threads."""
        with threads_of(self.settings.threads):
            if isinstance(self.model, nn.Module):
                self.model.to(self.device).eval()
            yield

    def identity(self, told: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
        settings = {name: one for name, one in asdict(self.settings).items() if name not in _FREE}
        return {**told, "mode": mode, "model": self.origin.checksum, "settings": settings}

    @property
    def machine(self) -> str:
        if self.device.type == "cuda":
            return str(torch.cuda.get_device_name(self.device))
        n_threads = torch.get_num_threads()
        return f"CPU, {n_threads} thread{'s' * (n_threads != 1)}"

    @torch.no_grad()
    def attribute(
        self, truth: DigitMixtures, mode: Mode, identity: Mapping[str, Any]
    ) -> ImageResult:
        counts = truth.pattern.sum(axis=1)
        gathered = Gathered(len(truth))
        seconds: list[float] = []
        alone: list[float] = []
        for number, (rows, count) in enumerate(batches(counts, mode, self.settings.batch)):
            mixtures = truth.mixtures[rows]
            began = self._now()
            found = self._attributed(mixtures, count, (identity["set"], mode, number))
            took = self._now() - began
            if found.pattern is not None and found.pattern.shape[1] != truth.pattern.shape[1]:
                raise BadFile(
                    f"{identity['set']}: mixtures of {truth.pattern.shape[1]} streams; the model "
                    f"has {found.pattern.shape[1]}"
                )
            gathered.add(rows, found)
            if len(rows) == self.settings.batch or not number:
                seconds.append(took)
                if len(alone) < TIMED_ALONE and isinstance(self.model, Autoencoder):
                    alone.append(self._coded_s(mixtures))
        return gathered.result(
            Seconds(self.settings.batch, _median(seconds), _median(alone), self.machine), identity
        )

    def _attributed(
        self,
        mixtures: Float32[np.ndarray, "mixture pixel"],
        count: int | None,
        names: tuple[str, Mode, int],
    ) -> Attribution:
        n_samples, generator = self.settings.n_samples, None
        if n_samples:
            generator = torch_generator(generator_of(self.settings.seed, *names))
        there = torch.from_numpy(mixtures).to(self.device)
        return self.model.attribute(there, count, n_samples=n_samples, generator=generator)

    def _coded_s(self, mixtures: Float32[np.ndarray, "mixture pixel"]) -> float:
        assert isinstance(self.model, Autoencoder)
        began = self._now()
        self.model.decode(self.model.encode(torch.from_numpy(mixtures).to(self.device))[0])
        return self._now() - began

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None
