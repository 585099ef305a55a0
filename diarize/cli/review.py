"""`diarize review`: the turns most worth a listen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.cli.machine import add_machine_arguments, use_machine
from diarize.cli.streams import print_result, tell
from diarize.errors import BadCall, BadFile

if TYPE_CHECKING:
    from diarize.formats.exports import Export

FORMATS = ("table", "tsv", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    add = parser.add_argument
    add("input", metavar="FILE", help="JSON of `diarize infer --format json`, or a recording, or -")
    add("--top", type=int, default=20, metavar="N", help="how many to list (default: 20)")
    add("--format", choices=FORMATS, default="table", help="(default: table)")
    add("--uem", type=Path, metavar="FILE", help="speak only of these regions")
    heard = parser.add_argument_group("for a recording, which is inferred first")
    heard.add_argument("--num-speakers", type=int, metavar="N", help="how many, when known")
    heard.add_argument("--conf", type=Path, metavar="FILE", help="its [infer] table: settings")
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read or infer one recording, and print what is most worth a listen."""
    from diarize.formats.exports import read_json
    from diarize.formats.uem import read_uem
    from diarize.inference.review import review
    from diarize.inference.review_text import WRITERS, review_total

    if arguments.top < 1:
        raise BadCall(f"--top is {arguments.top}; a list holds at least 1")
    regions = read_uem(arguments.uem) if arguments.uem else None
    is_result = arguments.input.lower().endswith(".json")
    export = read_json(arguments.input) if is_result else _infer(arguments)
    if regions is not None and export.recording not in regions:
        raise BadFile(f"{arguments.uem}: no region for recording {export.recording!r}")
    region = regions[export.recording] if regions is not None else None
    if export.activity is None:
        raise BadFile(f"{arguments.input}: no activity in it; give what `--format json` writes")
    found = review(export.activity, export.annotation, region, arguments.top)
    if arguments.format == "tsv":
        tell(f"diarize review: {review_total(found, export.recording)}")
    print_result(WRITERS[arguments.format](found, export.recording))
    return 0


def _infer(arguments: argparse.Namespace) -> Export:
    from dataclasses import replace

    from diarize.cli.outcomes import tell_notes
    from diarize.cli.progress import progress_bar
    from diarize.config import load
    from diarize.formats.exports import Export
    from diarize.inference import batch, sources
    from diarize.inference.diarize import Diarizer, DiarizerSettings

    found = sources.find_sources([arguments.input])
    if len(found) > 1:
        raise BadCall(f"{arguments.input}: {len(found)} recordings; a review is of one")
    conf, n_speakers = arguments.conf, arguments.num_speakers
    settings = load(DiarizerSettings, conf, "infer") if conf else DiarizerSettings()
    if n_speakers is not None:
        settings = replace(settings, num_speakers=n_speakers, min_speakers=None, max_speakers=None)
    use_machine(arguments)
    diarizer = Diarizer(settings, device=arguments.device)
    with progress_bar(1) as told:
        result = batch.Listener(diarizer, told, stdin=sys.stdin)(found[0])
    tell_notes(result)
    head = result.annotation, result.recording, result.duration_s
    return Export(*head, activity=result.posterior)
