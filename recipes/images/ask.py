"""Exact patterns of a trained MS-VAE asked otherwise than its settings say.

python recipes/images/ask.py MODEL --data DIR --set readout=model --set posterior=exact

MODEL is a file of `diarize train`, or digits, the weights that ship. Each --set changes a setting
of the model that matters in use alone; the same weights then say which streams are on in the test
sets, with the number of sources told and not, and how sure they are on average.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from diarize.config import build
from diarize.corpora.digit_mixtures import read_mixtures
from diarize.models.msvae.polish import polished_sources
from diarize.training.shipped import load_model
from diarize.weights import named_weights

AT_ONCE = 50  # mixtures; an exact posterior takes megabytes of each


def shares(model, mixtures, true, count) -> str:
    """How often the pattern is exactly right, and how probable the model finds what it says."""
    found = [model.attribute(part, count) for part in mixtures.split(AT_ONCE)]
    pattern = torch.cat([one.pattern for one in found])
    sure = torch.cat([one.probability for one in found])
    right = (pattern == true).all(1).float().mean()
    return f"{100 * right:.2f} % right, {100 * sure.mean():.2f} % sure"


def scale_left(model, mixtures, true) -> str:
    """What is left of mixtures under the true patterns: by latents drawn, and polished."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        latents = model.encoders(mixtures)
        drawn = model.decoders(latents.sample(generator)) * true[:, :, None]
    polished = polished_sources(model, mixtures, latents.mean, true, 60)
    left = [float((mixtures - one.sum(1)).abs().mean()) for one in (drawn, polished)]
    told = f"b under the true patterns {left[0]:.4f}, polished {left[1]:.4f}"
    return f"{told}, learned {model.scale:.4f}"


def main() -> None:
    """Ask as the command line says, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=WORD", dest="changes")
    parser.add_argument("--sets", nargs="+", default=["test_K2", "test_K3", "test_K4"])
    parser.add_argument("--first", type=int, default=5000, help="mixtures of each set")
    parser.add_argument("--scale", action="store_true", help="what is left of the first set, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(named_weights(arguments.model))
    changes = dict(words.split("=", 1) for words in arguments.changes)
    unpolished = {"polish_steps": 0}  # patterns do not hang on it
    settings = dataclasses.asdict(model.settings) | unpolished | changes
    model.settings = build(type(model.settings), as_toml(settings), "--set")
    for name in arguments.sets:
        truth = read_mixtures(arguments.data / f"{name}.safetensors")
        mixtures = torch.from_numpy(truth.mixtures[: arguments.first])
        true = torch.from_numpy(truth.pattern[: arguments.first])
        counts = true.sum(1).unique().tolist()
        lines = [f"{name}, K unknown: {shares(model, mixtures, true, None)}"]
        if len(counts) == 1:
            lines.append(f"{name}, K given: {shares(model, mixtures, true, counts[0])}")
        if arguments.scale and name == arguments.sets[0]:
            lines.append(f"{name}: {scale_left(model, mixtures, true)}")
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def as_toml(settings: dict[str, object]) -> dict[str, object]:
    """The settings as a conf file has them: arrays for tuples."""
    return {name: list(one) if isinstance(one, tuple) else one for name, one in settings.items()}


if __name__ == "__main__":
    main()
