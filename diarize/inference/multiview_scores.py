"""Results on several views, scored: what latents tell, and whether what was made is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from diarize.errors import BadCall
from diarize.inference.multiview_results import AboutViews, read_about_views, read_made
from diarize.scoring.coherence import Coherence, agreement, chance_agreement, coherence
from diarize.scoring.frechet import frechet_distance
from diarize.scoring.images import psnr_db
from diarize.scoring.latent_classes import ClassReading, read_classes, read_together
from diarize.training.shipped import load_model


@runtime_checkable
class Judge(Protocol):
    """What says which class an image of a view shows."""

    def judge(self, view: int, images: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of what is shared and of what is the view's own."""
        ...

    def embed(self, view: int, images: Tensor) -> Tensor:
        """What it sees in them."""
        ...


@dataclass(frozen=True)
class MultiviewScoreSettings:
    """The [score] table of a conf of views.

    Attributes:
        judge: the experiment, beside the one scored, whose weights judge images; none: nothing that
            was made is judged.
        beside: experiments whose results stand beside these, as far as they are there.
        seed: of the bootstrap.
    """

    judge: str = ""
    beside: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class ViewScores:
    """Scores of one result.

    Attributes:
        about: what it is of.
        readings: by latent ("z", "w", "z+w") and label, one a view; none where a label is not
            known.
        together: the shared class, by all views together: of latents, of the views themselves, each
            alone, and side by side; none for images.
        made: coherence by what was made.
        chances: what chance would come to, for some of those.
        distances: Fréchet distances by what was made, a mean over views.
        psnr_db: of views rebuilt from their own means.
        judged_right: share of true images that the judge is right about, by label.
        notes: what was left out, and why.
    """

    about: AboutViews
    readings: Mapping[tuple[str, str], tuple[ClassReading, ...]]
    together: Mapping[str, ClassReading]
    made: Mapping[str, Coherence]
    chances: Mapping[str, float]
    distances: Mapping[str, float]
    psnr_db: float | None
    judged_right: Mapping[str, float]
    notes: tuple[str, ...]


def score_views(
    folder: Path, settings: MultiviewScoreSettings, judge: Judge | None = None
) -> ViewScores:
    """The scores of the result in `folder`, judged by `judge` if there is one.

    Raises:
        BadFile: no result, or a damaged one.
        BadCall: a judge of other views.
    """
    about = read_about_views(folder)
    notes: list[str] = []
    readings = _readings(folder, about, settings, notes)
    together = {} if about.image_shape else _together(folder, about, settings.seed)
    ratio = None
    if about.image_shape is not None:
        pairs = read_made(folder, "made", _names(("true", "rebuilt"), about))
        each = [
            _psnr(pairs[f"rebuilt_{view}"], pairs[f"true_{view}"])
            for view in range(len(about.view_sizes))
        ]
        ratio = float(np.mean(each))
    if judge is None or about.image_shape is None:
        why = "no judge was named" if about.image_shape else "views are no images"
        notes.append(f"nothing that was made is judged: {why}")
        return ViewScores(about, readings, together, {}, {}, {}, ratio, {}, tuple(notes))
    judged = _Judged(folder, about, judge, settings.seed)
    made, chances = judged.coherences()
    distances, right = judged.distances(), judged.right()
    return ViewScores(
        about, readings, together, made, chances, distances, ratio, right, tuple(notes)
    )


def load_judge(experiments: Path, name: str) -> Judge | None:
    """The judge that the experiment `name` of the folder trained; None where it has not yet.

    Raises:
        BadCall: what it trained judges no views.
        BadFile: its weights are damaged.
    """
    path = experiments / name / "train" / "model.safetensors"
    if not path.is_file():
        return None
    model = load_model(path)
    if not isinstance(model, Judge):
        raise BadCall(f"judge = {name!r} in [score]: no judge of views; view_judge would be right")
    return model


class _Judged:
    """What a judge says of what was made."""

    def __init__(self, folder: Path, about: AboutViews, judge: Judge, seed: int) -> None:
        self.folder, self.about, self.judge, self.seed = folder, about, judge, seed
        self.n_views = len(about.view_sizes)
        self.labels = list(about.labels)
        self.truths = read_made(folder, "made", ("truths",))["truths"]

    def right(self) -> dict[str, float]:
        """How often the judge is right on true images."""
        found = {}
        for column, label in enumerate(self.labels[:2]):
            said = np.stack([self.said("made", f"true_{v}", v)[column] for v in self.views], 1)
            wanted = self.truths[:, :1] if not column else self.truths[:, 1:]
            found[label] = float((said == wanted).mean())
        return found

    @property
    def views(self) -> range:
        return range(self.n_views)

    def coherences(self) -> tuple[dict[str, Coherence], dict[str, float]]:
        """By what was made, and what chance would come to."""
        label = self.labels[0]
        digit = self.truths[:, 0]
        across = np.stack(
            [
                np.stack([self.said("made", f"across_{s}_{t}", t)[0] for t in self.views], 1)
                for s in self.views
            ],
            1,
        )  # datum, source, target
        same = np.eye(self.n_views, dtype=bool)
        others = np.stack([self.said("made", f"others_{t}", t)[0] for t in self.views], 1)
        made = {
            f"self {label}": coherence(across[:, same], digit, self.seed),
            f"cross {label}": coherence(across[:, ~same], digit, self.seed),
            f"of all others {label}": coherence(others, digit, self.seed),
        }
        commonest = float(np.bincount(digit).max() / len(digit))
        chances = dict.fromkeys(made, commonest)
        if len(self.labels) > 1:
            own = np.stack([self.said("made", f"swapped_{v}", v)[1] for v in self.views], 1)
            right = (own == self.truths[:, 1:]).astype(np.int64)
            made[f"own {self.labels[1]}"] = coherence(
                right, np.ones(len(right), np.int64), self.seed
            )
            chances[f"own {self.labels[1]}"] = 1 / self.about.labels[self.labels[1]]
        for prior in self.about.priors:
            drawn = np.stack(
                [self.said(f"samples_{prior}", f"sample_{v}", v)[0] for v in self.views], 1
            )
            made[f"unconditional, {prior}"] = agreement(drawn, self.seed)
            chances[f"unconditional, {prior}"] = chance_agreement(drawn)
        return made, chances

    def distances(self) -> dict[str, float]:
        """Of what was made from the true images, a mean over views; of equally many images."""
        kinds = {"rebuilt": ("made", "rebuilt"), "of all others": ("made", "others")}
        kinds |= {
            f"unconditional, {prior}": (f"samples_{prior}", "sample") for prior in self.about.priors
        }
        found = {}
        for kind, (what, name) in kinds.items():
            each = []
            for view in self.views:
                true = self.embedded("made", f"true_{view}", view)
                made = self.embedded(what, f"{name}_{view}", view)
                n_each = min(len(true), len(made))
                each.append(frechet_distance(made[:n_each], true[:n_each]))
            found[kind] = float(np.mean(each))
        return found

    def said(self, what: str, name: str, view: int) -> list[Int64[np.ndarray, " datum"]]:
        shared, private = self.judge.judge(view, self._images(what, name))
        if shared.shape[1] != self.about.labels[self.labels[0]]:
            raise BadCall(
                f"a judge of {shared.shape[1]} classes; {self.labels[0]} has "
                f"{self.about.labels[self.labels[0]]}"
            )
        return [one.argmax(1).cpu().numpy() for one in (shared, private) if one.shape[1]]

    def embedded(self, what: str, name: str, view: int) -> Float[np.ndarray, "datum hidden"]:
        found: np.ndarray = self.judge.embed(view, self._images(what, name)).cpu().numpy()
        return found

    def _images(self, what: str, name: str) -> Tensor:
        return torch.from_numpy(read_made(self.folder, what, (name,))[name])


def _readings(
    folder: Path, about: AboutViews, settings: MultiviewScoreSettings, notes: list[str]
) -> dict[tuple[str, str], tuple[ClassReading, ...]]:
    names = ("shared", "private", "truths")
    train = read_made(folder, "latents_train", names)
    test = read_made(folder, f"latents_{about.part}", names)
    found = {}
    for number, label in enumerate(about.labels):
        for latent in ("z", "w", "z+w"):
            each = []
            for view in range(len(about.view_sizes)):
                column = 0 if not number else 1 + view
                reading = read_classes(
                    _latents(train, latent, view),
                    train["truths"][:, column],
                    _latents(test, latent, view),
                    test["truths"][:, column],
                    settings.seed,
                )
                if reading is not None:
                    each.append(reading)
            if each:
                found[latent, label] = tuple(each)
            elif latent == "z":
                notes.append(f"the {label} of no datum is known; it is not read off latents")
    return found


def _together(folder: Path, about: AboutViews, seed: int) -> dict[str, ClassReading]:
    """The shared class, by latents of all views, and by the views themselves."""
    names = ("shared", "private", "truths", "values")
    sides = [read_made(folder, what, names) for what in ("latents_train", f"latents_{about.part}")]
    views = range(len(about.view_sizes))
    starts = np.cumsum((0, *about.view_sizes))
    sources = {
        latent: [[_latents(one, latent, view) for view in views] for one in sides]
        for latent in ("z", "w", "z+w")
    }
    for view in views:
        own = slice(starts[view], starts[view + 1])
        sources[f"view {view} itself"] = [[one["values"][:, own]] for one in sides]
    sources["views side by side"] = [[one["values"]] for one in sides]
    found = {}
    for name, (train, test) in sources.items():
        truths = [one["truths"][:, 0] for one in sides]
        reading = read_together(train, truths[0], test, truths[1], seed)
        if reading is not None:
            found[name] = reading
    return found


def _latents(
    arrays: Mapping[str, np.ndarray], latent: str, view: int
) -> Float32[np.ndarray, "datum latent"]:
    kinds = {"z": ("shared",), "w": ("private",), "z+w": ("shared", "private")}[latent]
    return np.concatenate([arrays[kind][:, view] for kind in kinds], axis=1)


def _psnr(found: np.ndarray, true: np.ndarray) -> float:
    return float(psnr_db(found[:, None, None], true[:, None, None]).mean())


def _names(kinds: tuple[str, ...], about: AboutViews) -> tuple[str, ...]:
    return tuple(f"{kind}_{view}" for kind in kinds for view in range(len(about.view_sizes)))
