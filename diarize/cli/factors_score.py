"""`diarize factors score`: how well latents know factors, and how good images are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.cli.beside import beside
from diarize.errors import BadCall

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from diarize.inference.factors_scores import Embedding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize factors score` takes to its parser."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--result", type=Path, required=True, metavar="DIR", help="of `diarize factors infer -o`")
    told = "results of another model on the same images; may be given several times"
    add("--beside", action="append", default=[], metavar="NAME=DIR", help=told)
    told = "of a classifier, or digit-classifier: the Fréchet distance is of its last hidden layer"
    add("--judge", metavar="WEIGHTS", help=told)
    add("--conf", type=Path, metavar="FILE", help="settings: the [score] table of a TOML file")
    add("-o", "--output", type=Path, metavar="FILE", help="write everything as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score, write what was asked for, and print the tables."""
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import factors_scores as told
    from diarize.inference.factors_results import read_factors
    from diarize.weights import named_weights

    conf, own = arguments.conf, arguments.result
    default = told.FactorScoreSettings()
    settings = load(told.FactorScoreSettings, conf, "score") if conf else default
    judge = _judge(named_weights(arguments.judge)) if arguments.judge else None
    name = read_factors(own).about.name
    folders = {name: own} | beside(arguments.beside, [name])
    made = told.score_factors(arguments.data, folders, settings, judge)
    for note in made.notes:
        print(f"diarize factors score: {note}", file=sys.stderr)
    if arguments.output:
        save_text(arguments.output, told.as_json(made))
    if arguments.markdown:
        save_text(arguments.markdown, told.as_markdown(made))
    print(told.as_text(made), end="")
    return 0


def _judge(path: Path) -> tuple[str, Embedding]:
    """The last hidden layer of the classifier at `path`."""
    import torch

    from diarize.training.shipped import load_model, read_card

    model = load_model(path)
    network = getattr(model, "network", None)
    if not (hasattr(model, "classify") and isinstance(network, torch.nn.Sequential)):
        raise BadCall(f"--judge {path}: no classifier; a digit_classifier would be right")
    hidden, side = network[:-1], int(read_card(path)["model"]["settings"]["side"])

    def embed(images: Float32[np.ndarray, "image value"]) -> np.ndarray:
        squares = torch.from_numpy(images).view(-1, 1, side, side)
        return torch.cat([hidden(some) for some in squares.split(1000)]).numpy()

    return f"the last hidden layer of {path.name}", embed
