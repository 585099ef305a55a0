"""`diarize pack MODEL -o FILE`: make trained weights ready to ship, with a card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize pack` takes to its parser."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="model.safetensors that `diarize train` wrote"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="gets the weights; the card is the .json beside it",
    )
    parser.add_argument("--licence", required=True, metavar="TEXT", help="of the weights")
    parser.add_argument(
        "--data-licence", required=True, metavar="TEXT", help="of what they were trained on"
    )
    parser.add_argument("--command", required=True, metavar="TEXT", help="that trained them")
    parser.add_argument(
        "--commit", metavar="HASH", help="of the code that trained them, if MODEL does not say it"
    )
    parser.add_argument(
        "--score", type=Path, metavar="FILE", help="a score.json of them, to go onto the card"
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="STEMS",
        help="of an instrument classifier: fit its temperature to these songs in stems, which it "
        "was not trained on",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write weights and card; print the card's path."""
    from diarize.errors import BadFile
    from diarize.formats.text import read_text
    from diarize.training.packing import pack

    about: dict[str, Any] = {
        "licence": arguments.licence,
        "data_licence": arguments.data_licence,
        "command": arguments.command,
    }
    if arguments.commit:
        about["commit"] = arguments.commit
    if arguments.score:
        try:
            about["scores"] = json.loads(read_text(arguments.score))
        except ValueError:
            raise BadFile(f"{arguments.score}: no JSON; wanted a score.json") from None
    if arguments.calibrate:
        from diarize.inference.name_temperature import calibrated

        about |= calibrated(arguments.model, arguments.calibrate)
    print(pack(arguments.model, arguments.output, about))
    return 0
