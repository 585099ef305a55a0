"""`diarize train --conf FILE --data DIR --exp DIR`: train a model; go on if that was begun."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize train` takes to its parser."""
    parser.add_argument(
        "--conf",
        type=Path,
        required=True,
        metavar="FILE",
        help="a TOML file: [data] names a corpus, [model] a model, [train] how it is trained",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made"
    )
    parser.add_argument(
        "--exp",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets model.safetensors, model.json and journal.jsonl; a training that was stopped "
        "goes on from the checkpoint there",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew, whatever an earlier training left there"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and print the path of the weights."""
    from diarize.cli.progress import training_bar
    from diarize.config import build, read_toml
    from diarize.corpora.supplies import make_supply
    from diarize.formats.text import read_text
    from diarize.training.checkpoint import forget
    from diarize.training.loop import train
    from diarize.training.settings import TrainSettings
    from diarize.training.shipped import new_model

    tables = read_toml(arguments.conf)
    settings = build(TrainSettings, tables.get("train", {}), f"{arguments.conf} [train]")
    corpus, data = _named(tables.get("data", {}), "corpus", f"{arguments.conf} [data]")
    kind, rest = _named(tables.get("model", {}), "name", f"{arguments.conf} [model]")
    supply = make_supply(corpus, arguments.data, data, f"{arguments.conf} [data]")
    model = new_model(kind, rest, f"{arguments.conf} [model]", settings.seed)
    if arguments.fresh:
        forget(arguments.exp)
    about: dict[str, Any] = {"corpus": corpus, "settings": data}
    if is_dataclass(full := getattr(supply, "settings", None)):
        about["settings"] = asdict(full)  # type: ignore[arg-type]
    if (summary := arguments.data / "summary.json").exists():
        about["summary"] = json.loads(read_text(summary))
    with training_bar() as told:
        trained = train(model, supply, settings, arguments.exp, notify=told, data=about)
    print(trained.path)
    return 0


def _named(table: Mapping[str, Any], key: str, where: str) -> tuple[str, dict[str, Any]]:
    """What a table says under `key`, and the rest of it."""
    from diarize.errors import BadFile

    name = table.get(key)
    if not isinstance(name, str):
        raise BadFile(f"{where}: {key} = {name!r}; the name of one, in quotes, would be right")
    return name, {other: value for other, value in table.items() if other != key}
