"""`diarize images infer`: attribute and separate the prepared mixtures by a trained model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize images infer` takes to its parser."""
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="WEIGHTS",
        help="of `diarize train`: a file, or digits, those that ship",
    )
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--name", metavar="NAME", help="what tables are to call the model (default: its kind)")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets SET.given.safetensors and SET.unknown.safetensors (the number of sources told, "
        "or not) of each set, and about.json; those of a run that was stopped are kept",
    )


def run(arguments: argparse.Namespace) -> int:
    """Attribute all sets; print the path of about.json."""
    from diarize.cli import images_views
    from diarize.config import load
    from diarize.inference.image_results import ABOUT
    from diarize.inference.images import ImageInferSettings, attribute_sets, origin_of
    from diarize.models.contract import MultiviewModel
    from diarize.training.shipped import load_model, read_card
    from diarize.weights import named_weights

    conf, folder = arguments.conf, arguments.output
    weights = named_weights(arguments.model)
    model = load_model(weights)
    if isinstance(model, MultiviewModel):
        return images_views.infer(arguments, model, read_card(weights))
    settings = load(ImageInferSettings, conf, "infer") if conf else ImageInferSettings()
    origin = origin_of(model, read_card(weights), arguments.name)
    about = attribute_sets(model, arguments.data, folder, settings, origin, _tell)
    for what, why in about.missing.items():
        print(f"diarize images infer: {what} left out: {why}", file=sys.stderr)
    print(folder / ABOUT)
    return 0


def _tell(step: str, share: float) -> None:
    print(f"diarize images infer: {step}, {100 * share:.0f} % done", file=sys.stderr, flush=True)
