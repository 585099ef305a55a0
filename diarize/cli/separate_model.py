"""Which separator `diarize separate` takes, and its settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from diarize.errors import BadCall

if TYPE_CHECKING:
    from diarize.inference.separate import Separator, SeparatorSettings
    from diarize.inference.separate_blind import BlindSeparator

BLIND = ("nmf", "hpss", "random")
TRAINED_ONLY = (
    "stems",
    "two_stems",
    "output_by",
    "conf",
    "steps",
    "samples",
    "adapt_steps",
    "passes",
    "second",
)


def make_separator(arguments: argparse.Namespace) -> Separator | BlindSeparator:
    """The separator that --model names, made ready.

    Raises:
        BadCall: options that are not for it, or values it does not take.
        BadFile: weights or settings that cannot be used.
    """
    from diarize.inference.separate import Separator
    from diarize.inference.separate_blind import BlindSeparator, BlindSettings

    if arguments.model not in BLIND:
        separator = Separator(_settings(arguments), arguments.device)
        there = len(separator.sources)
        if arguments.components not in (None, there):
            raise BadCall(f"--components is {arguments.components}; these weights have {there}")
        return separator
    for name in TRAINED_ONLY:
        if getattr(arguments, name) is not None:
            option = name.replace("_", "-")
            raise BadCall(f"--{option} is for trained weights; --model {arguments.model} has none")
    number = 2 if arguments.components is None else arguments.components
    sum_to_mix = bool(arguments.sum_to_mix)
    return BlindSeparator(BlindSettings(arguments.model, number, arguments.seed, sum_to_mix))


def _settings(arguments: argparse.Namespace) -> SeparatorSettings:
    """The dataclass defaults, under the conf file's, under what the call says."""
    from dataclasses import replace

    from diarize.config import load
    from diarize.inference.separate import SeparatorSettings

    conf = arguments.conf
    settings = load(SeparatorSettings, conf, "infer") if conf else SeparatorSettings()
    stems = tuple(arguments.stems.replace(" ", "").split(",")) if arguments.stems else None
    said = {"stems": stems, "two_stems": arguments.two_stems, "sum_to_mix": arguments.sum_to_mix}
    said |= {"model": arguments.model, "output": arguments.output_by}
    said |= {"steps": arguments.steps, "samples": arguments.samples, "seed": arguments.seed}
    said |= {
        "adapt_steps": arguments.adapt_steps,
        "passes": arguments.passes,
        "second": arguments.second,
    }
    return replace(settings, **{name: value for name, value in said.items() if value is not None})
