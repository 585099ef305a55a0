"""The corpora that models can be trained on, by name, each loaded when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diarize.config import build
from diarize.corpora.batch import Supply
from diarize.errors import BadCall

SUPPLIES = {
    "digits": "diarize.corpora.digits:DigitSupply",
    "sprites": "diarize.corpora.factors_supply:SpriteSupply",
    "mnist_images": "diarize.corpora.factors_supply:MnistImageSupply",
    "celeba": "diarize.corpora.factors_supply:CelebaSupply",
    "polymnist": "diarize.corpora.polymnist_supply:PolymnistSupply",
    "tcga": "diarize.corpora.tcga:TcgaSupply",
    "cub": "diarize.corpora.cub:CubSupply",
    "two_speakers": "diarize.corpora.chunk_supply:ChunkSupply",
    "stems": "diarize.corpora.stem_supply:StemSupply",
    "latents": "diarize.corpora.latent_supply:LatentSupply",
    "codes": "diarize.inference.code_supply:CodeSupply",  # and these make codes as it does
    "scenes": "diarize.inference.scene_supply:SceneSupply",  # it hears as inference does
}
PREPARERS = {
    "digits": "diarize.corpora.digit_sets:prepare_digits",
    "sprites": "diarize.corpora.factors_sprites:prepare_sprites",
    "mnist_images": "diarize.corpora.factors_mnist:prepare_mnist_images",
    "celeba": "diarize.corpora.celeba:prepare_celeba",
    "polymnist": "diarize.corpora.polymnist:prepare_polymnist",
    "tcga": "diarize.corpora.tcga:prepare_tcga",
    "cub": "diarize.corpora.cub:prepare_cub",
    "rendered": "diarize.corpora.rendered:prepare_rendered",
    "stems": "diarize.corpora.stems:prepare_stems",
    "latents": "diarize.corpora.latent_sets:prepare_latents",
    "codes": "diarize.inference.code_supply:prepare_codes",
    "scenes": "diarize.inference.scene_supply:prepare_scenes",
}
SETTINGS = {  # of what is prepared but not trained on as it is
    "rendered": "diarize.corpora.rendered_settings:RenderedSettings",
}
SHARED_OUT = ("rendered", "stems", "latents", "codes", "scenes")  # among several at work


def make_supply(name: str, folder: Path | str, settings: Mapping[str, Any], where: str) -> Supply:
    """The supply called `name`, of what was prepared in `folder`; `where` names settings in errors.

    Raises:
        BadCall: there is none of that name.
        BadFile: settings that cannot be used, or a folder not prepared by them.
    """
    supply = _named(SUPPLIES, name)
    made: Supply = supply(Path(folder), build(supply.settings_type, settings, where))
    return made


def prepare(
    name: str,
    folder: Path | str,
    settings: Mapping[str, Any],
    where: str,
    part: tuple[int, int] | None = None,
) -> Path:
    """Prepare the corpus `name` in `folder`, from what was fetched there; return its summary.

    `part` (2, 3) prepares the second of three shares, of a corpus that can be shared out.

    Raises:
        BadCall: there is none of that name, or it cannot be shared out.
        BadFile: settings that cannot be used, or files that are missing or unsound.
    """
    if part is not None and name not in SHARED_OUT:
        raise BadCall(f"--part is for {', '.join(SHARED_OUT)}; {name} is prepared as a whole")
    shares = {} if part is None else {"part": part}
    preparer = _named(PREPARERS, name)
    own = _named(SETTINGS, name) if name in SETTINGS else None
    settings_type = own or _named(SUPPLIES, name).settings_type
    path: Path = preparer(Path(folder), build(settings_type, settings, where), **shares)
    return path


def _named(paths: Mapping[str, str], name: str) -> Any:
    if name not in paths:
        raise BadCall(f"no corpus {name!r} to train on; there are {', '.join(paths)}")
    module, attribute = paths[name].split(":")
    return getattr(importlib.import_module(module), attribute)
