"""`diarize infer`: say who spoke when."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diarize.cli.features_store import add_store_argument
from diarize.cli.machine import add_machine_arguments, use_machine
from diarize.cli.streams import print_result
from diarize.errors import BadCall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes; a setting left out has its value from --conf, or its default."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="AUDIO", help="files, folders, lists (.txt .scp .jsonl) or -")
    add("-o", "--output", type=Path, metavar="DIR", help="write one file a recording there")
    add("--format", default="rttm", metavar="F", help="rttm, json, csv; with -o also rttm,json")
    add("--num-speakers", type=int, metavar="N", help="how many there are, when known")
    add("--min-speakers", type=int, metavar="N", help="at least so many")
    add("--max-speakers", type=int, metavar="N", help="at most so many")
    add("--attributor", choices=("auto", "msvae", "cluster"), help="what says who talks when")
    add("--vad", choices=("webrtc", "silero", "segmentation"), help="what decides on speech")
    add("--embedder", choices=("campplus", "ecapa"), help="what tells voices apart")
    add("--exclusive", action="store_true", default=None, help="never two speakers at a time")
    add("--uem", type=Path, metavar="FILE", help="speak only of these regions")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--fresh", action="store_true", help="do finished recordings of -o again")
    add_store_argument(parser)
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the call, load the networks once, go through the recordings."""
    from diarize.cli.outcomes import tell_notes, tell_outcomes
    from diarize.cli.progress import progress_bar
    from diarize.formats.uem import read_uem
    from diarize.inference import batch, sources
    from diarize.inference.diarize import Diarizer

    formats = batch.parse_formats(arguments.format)
    found = sources.find_sources(arguments.inputs)
    folder = arguments.output
    if folder is None and (len(found) > 1 or len(formats) > 1):
        raise BadCall(
            f"standard output takes one recording in one format; found {len(found)} in "
            f"{len(formats)}; name a folder with -o DIR"
        )
    settings = _settings(arguments)
    regions = read_uem(arguments.uem) if arguments.uem else None
    use_machine(arguments)
    diarizer = Diarizer(settings, device=arguments.device, store=arguments.store)
    if folder is not None:
        batch.check_folder(folder)
    with progress_bar(len(found)) as told:
        listen = batch.Listener(diarizer, told, regions, arguments.uem, sys.stdin)
        if folder is not None:
            done = batch.listen_to_all(found, listen, folder, formats, arguments.fresh)
            return tell_outcomes(done, told)
        result = listen(found[0])
    tell_notes(result)
    print_result(batch.WRITERS[formats[0]](result))
    return 0


def _settings(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]
    """The dataclass defaults, under the conf file's, under what the call says."""
    from dataclasses import fields, replace

    from diarize.config import load
    from diarize.inference.diarize import DiarizerSettings

    conf = arguments.conf
    settings = load(DiarizerSettings, conf, "infer") if conf else DiarizerSettings()
    said = {field.name: getattr(arguments, field.name, None) for field in fields(settings)}
    return replace(settings, **{name: value for name, value in said.items() if value is not None})
