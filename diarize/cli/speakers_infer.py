"""`diarize speakers infer`: which of two known speakers talks when."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize speakers infer` takes to its parser."""
    add = parser.add_argument
    add(
        "--model",
        metavar="WEIGHTS",
        help="of `diarize train` on two_speakers; without, voices are clustered into two",
    )
    add("--data", type=Path, required=True, metavar="DIR", help="of `diarize fetch two_speakers`")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--name", metavar="NAME", help="what tables are to call the system")
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets authors/ and clean/ with RECORDING.rttm and .json each, and about.json last; "
        "recordings that a stopped run has finished are kept",
    )


def run(arguments: argparse.Namespace) -> int:
    """Go through the recordings; print the path of about.json."""
    from diarize.config import load
    from diarize.inference.two_speaker_results import cluster_all, hear_all
    from diarize.inference.two_speakers import KnownSpeakers, TwoSpeakerInferSettings
    from diarize.training.shipped import load_model, read_card

    conf, folder = arguments.conf, arguments.output
    settings = load(TwoSpeakerInferSettings, conf, "infer") if conf else TwoSpeakerInferSettings()
    if arguments.model is None:
        about = cluster_all(arguments.data, folder, settings, arguments.name or "clustering", _tell)
    else:
        card = read_card(Path(arguments.model))
        listener = KnownSpeakers(load_model(arguments.model), card, settings)
        name = arguments.name or str(card["model"]["name"])
        about = hear_all(listener, arguments.data, folder, name, str(card["checksum"]), _tell)
    print(about)
    return 0


def _tell(recording: str, share: float) -> None:
    told = f"diarize speakers infer: {recording}, {100 * share:.0f} % done"
    print(told, file=sys.stderr, flush=True)
