"""`diarize images score`: how right results on mixtures of images are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.cli.beside import beside
from diarize.errors import BadCall

if TYPE_CHECKING:
    from diarize.inference.image_scores import Judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize images score` takes to its parser."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--result", type=Path, required=True, metavar="DIR", help="of `diarize images infer -o`")
    add(
        "--beside",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="results of another system on the same sets; may be given several times",
    )
    add(
        "--judge",
        metavar="WEIGHTS",
        help="of a classifier of single images: a file, or digit-classifier, the one that ships",
    )
    add("--conf", type=Path, metavar="FILE", help="settings: the [score] table of a TOML file")
    add("-o", "--output", type=Path, metavar="FILE", help="write everything as JSON")
    add("--markdown", type=Path, metavar="FILE", help="write the tables in Markdown")


def run(arguments: argparse.Namespace) -> int:
    """Score, write what was asked for, and print the tables."""
    from diarize.cli import images_views

    if images_views.is_of_views(arguments.result):
        return images_views.score(arguments)
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import image_comparison as told
    from diarize.inference.image_scores import ImageScoreSettings
    from diarize.weights import named_weights

    conf = arguments.conf
    settings = load(ImageScoreSettings, conf, "score") if conf else ImageScoreSettings()
    judge = _judge(named_weights(arguments.judge)) if arguments.judge else None
    made = told.compare(arguments.data, arguments.result, beside(arguments.beside), settings, judge)
    for note in made.notes:
        print(f"diarize images score: {note}", file=sys.stderr)
    if arguments.output:
        save_text(arguments.output, told.comparison_json(made))
    if arguments.markdown:
        save_text(arguments.markdown, told.comparison_markdown(made))
    print(told.comparison_text(made), end="")
    return 0


def _judge(path: Path) -> Judge:
    """What the classifier at `path` says of images."""
    import torch

    from diarize.training.shipped import load_model

    model = load_model(path)
    if not hasattr(model, "classify"):
        raise BadCall(f"--judge {path}: no classifier; a digit_classifier would be right")
    return lambda images: model.classify(torch.from_numpy(images)).numpy()
