"""What `diarize train` trains, as a conf has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarize.models.contract import Supply, Trainable
    from diarize.training.settings import TrainSettings


@dataclass(frozen=True)
class Training:
    """A training that could begin: `about` is what `model.json` should say of its data."""

    model: Trainable
    supply: Supply
    settings: TrainSettings
    about: dict[str, Any]


def read_training(conf: Path, folder: Path) -> Training:
    """The training of the conf file `conf`, by what was prepared in `folder`.

    Raises:
        BadCall, BadFile: the conf, or the folder, cannot be used.
    """
    from diarize.config import build, read_toml
    from diarize.corpora.supplies import make_supply
    from diarize.formats.text import read_text
    from diarize.training.settings import TrainSettings
    from diarize.training.shipped import begin_from, new_model
    from diarize.training.watch import Watched
    from diarize.weights import named_weights

    tables = read_toml(conf)
    settings = build(TrainSettings, tables.get("train", {}), f"{conf} [train]")
    corpus, data = _named(tables.get("data", {}), "corpus", f"{conf} [data]")
    kind, rest = _named(tables.get("model", {}), "name", f"{conf} [model]")
    supply = make_supply(corpus, folder, data, f"{conf} [data]")
    about: dict[str, Any] = {"corpus": corpus, "settings": data}
    if is_dataclass(full := getattr(supply, "settings", None)):
        about["settings"] = asdict(full)  # type: ignore[arg-type]
    if (summary := folder / "summary.json").exists():
        about["summary"] = json.loads(read_text(summary))
    model = new_model(kind, rest, f"{conf} [model]", settings.seed)
    if settings.start:
        about["start"] = begin_from(model, named_weights(settings.start), settings.start_parts)
    if settings.develop:
        own = {**data, **settings.develop}
        supply = Watched(supply, make_supply(corpus, folder, own, f"{conf} [train.develop]"))
    return Training(model, supply, settings, about)


def _named(table: Mapping[str, Any], key: str, where: str) -> tuple[str, dict[str, Any]]:
    """What a table says under `key`, and the rest of it."""
    from diarize.errors import BadFile

    name = table.get(key)
    if not isinstance(name, str):
        raise BadFile(f"{where}: {key} = {name!r}; the name of one, in quotes, would be right")
    return name, {other: value for other, value in table.items() if other != key}
