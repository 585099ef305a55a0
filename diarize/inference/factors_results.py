"""What a model of many betas made of test images, as one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile

RESULT = "factors.safetensors"
_WORD, _SAMPLES = "about", "samples "
_ARRAYS = (
    *("betas", "sigma", "means", "psnr_db", "psnr_denoised_db"),
    *("originals", "ladder", "ladder_denoised", "edits"),
)


@dataclass(frozen=True)
class FactorsAbout:
    """Where a result comes from.

    Attributes:
        name: what tables call the model.
        kind: its name among the models.
        checksum: of its weights.
        stage_one: the hash of its autoencoder.
        test_sha256: of the set of test images.
        can_denoise: whether it has a second stage; without one, what that would give is empty.
        sigma_growth: the exponent by which learned noise grows at its start.
        is_sinusoidal: whether a squared sine stands in for it.
        edit_beta: at which edits were made.
        amounts: of edits, in deviations.
        n_steps: of the whole way down; of its parts as many fewer.
        seconds: that each kind of samples took.
    """

    name: str
    kind: str
    checksum: str
    stage_one: str
    test_sha256: str
    can_denoise: bool
    sigma_growth: float
    is_sinusoidal: bool
    edit_beta: float
    amounts: tuple[float, ...]
    n_steps: int
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FactorResult:
    """Latents and images of a model at several betas; images are 0 to 255.

    Attributes:
        sigma: of the noise of each latent, its mean over images where it differs.
        means: of the latents of the test images, the first so many of them.
        psnr_db: of images decoded at the beta they were encoded at.
        psnr_denoised_db: of those taken down to the lowest beta first.
        originals: some test images.
        ladder: these decoded at each beta.
        ladder_denoised: these taken down from there.
        edits: of some of them, along each direction by each amount, taken down.
        samples: from nothing, by how they were made.
    """

    betas: Float32[np.ndarray, " level"]
    sigma: Float32[np.ndarray, "level latent"]
    means: Float32[np.ndarray, "level image latent"]
    psnr_db: Float32[np.ndarray, "level image"]
    psnr_denoised_db: Float32[np.ndarray, "denoised image"]
    originals: UInt8[np.ndarray, "shown value"]
    ladder: UInt8[np.ndarray, "level shown value"]
    ladder_denoised: UInt8[np.ndarray, "denoised shown value"]
    edits: UInt8[np.ndarray, "edited direction amount value"]
    samples: Mapping[str, UInt8[np.ndarray, "_ value"]]
    about: FactorsAbout


def save_factors(folder: Path, result: FactorResult) -> Path:
    """Write a result into `folder`, whole or not at all; return its path.

    Raises:
        BadFile: it cannot be written.
    """
    path = folder / RESULT
    arrays = {name: getattr(result, name) for name in _ARRAYS}
    arrays |= {f"{_SAMPLES}{name}": images for name, images in result.samples.items()}
    told = {**asdict(result.about), "samples": list(result.samples)}
    save_tensors(path, arrays, {_WORD: json.dumps(told)})
    return path


def read_factors(folder: Path) -> FactorResult:
    """What `save_factors` wrote.

    Raises:
        BadFile: there is no such file, or it is broken or another.
    """
    path = folder / RESULT
    if not path.exists():
        raise BadFile(f"{path}: no such file; run diarize factors infer -o {folder}")
    _, facts = read_tensors(path, ())
    try:
        told: dict[str, Any] = json.loads(facts[_WORD])
        names = told.pop("samples")
        about = FactorsAbout(**{**told, "amounts": tuple(told["amounts"])})
    except (ValueError, KeyError, TypeError):
        raise BadFile(f"{path}: not what diarize factors infer writes; run it again") from None
    arrays, _ = read_tensors(path, (*_ARRAYS, *(f"{_SAMPLES}{name}" for name in names)))
    samples = {name: arrays.pop(f"{_SAMPLES}{name}") for name in names}
    return FactorResult(**arrays, samples=samples, about=about)
