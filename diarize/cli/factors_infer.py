"""`diarize factors infer`: latents, ladders, edits and samples of a model of many betas."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize factors infer` takes to its parser."""
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="WEIGHTS", help="of `diarize train`")
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--name", metavar="NAME", help="what tables are to call the model (default: its kind)")
    told = "gets factors.safetensors"
    add("-o", "--output", type=Path, required=True, metavar="DIR", help=told)


def run(arguments: argparse.Namespace) -> int:
    """Make the result; print its path."""
    import torch

    from diarize.config import load
    from diarize.inference.factors import FactorInferSettings, infer_factors
    from diarize.inference.factors_results import save_factors
    from diarize.training.shipped import load_model, read_card

    conf, weights = arguments.conf, arguments.model
    settings = load(FactorInferSettings, conf, "infer") if conf else FactorInferSettings()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    model, card = load_model(weights), read_card(weights)
    result = infer_factors(model, arguments.data, settings, card, arguments.name, _tell)
    about = result.about
    if about.is_sinusoidal:
        print(
            "diarize factors infer: a squared sine stands in for the learned noise, which grows "
            f"with exponent {about.sigma_growth:.2f}",
            file=sys.stderr,
        )
    print(f"diarize factors infer: stage one is {about.stage_one}", file=sys.stderr)
    print(save_factors(arguments.output, result))
    return 0


def _tell(step: str, share: float) -> None:
    print(f"diarize factors infer: {step}, {100 * share:.0f} % done", file=sys.stderr, flush=True)
