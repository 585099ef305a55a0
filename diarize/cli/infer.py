"""`diarize infer`: say who spoke when."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

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
    add("--vad", choices=("webrtc", "silero", "segmentation"), help="what decides on speech")
    add("--embedder", choices=("campplus", "ecapa"), help="what tells voices apart")
    add("--exclusive", action="store_true", default=None, help="never two speakers at a time")
    add("--uem", metavar="FILE", help="speak only of these regions")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--fresh", action="store_true", help="do finished recordings of -o again")
    add("--threads", type=int, metavar="N", help="processor threads (default: all)")
    add("--device", default="cpu", metavar="D", help="cpu, cuda, cuda:1 (default: cpu)")
    add("--seed", type=int, default=0, help="of whatever draws random numbers (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    """Check the call, load the networks once, go through the recordings."""
    from diarize.cli.progress import progress_bar
    from diarize.formats.uem import read_uem
    from diarize.inference import batch, sources

    formats = batch.parse_formats(arguments.format)
    found = sources.find_sources(arguments.inputs)
    if arguments.output is None and (len(found) > 1 or len(formats) > 1):
        raise BadCall(f"{len(found)} recordings, {len(formats)} formats: name a folder with -o DIR")
    regions = read_uem(arguments.uem) if arguments.uem else None
    settings = _settings(arguments)
    if arguments.output is not None:
        batch.check_folder(arguments.output)
    diarizer = _diarizer(arguments, settings)
    failed = 0
    with progress_bar(len(found)) as told:

        def listen(source: sources.Source):  # type: ignore[no-untyped-def]
            audio = sys.stdin.buffer if source.path is None else source.path
            heard = diarizer(audio, progress=told, recording=source.recording)
            for note in heard.notes:
                print(f"{source.recording}: {note}", file=sys.stderr)
            return batch.within(heard, regions, arguments.uem)

        if arguments.output is None:
            text = batch.WRITERS[formats[0]](listen(found[0]))
            sys.stdout.write(text)
            sys.stdout.flush()
            return 0
        done = batch.listen_to_all(found, listen, arguments.output, formats, arguments.fresh)
        for outcome in done:
            told.next_recording()
            if outcome.error is not None:
                failed += 1
                print(f"diarize infer: {outcome.error}", file=sys.stderr)
    return 1 if failed else 0


def _settings(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]
    """The dataclass defaults, under the conf file's, under what the call says."""
    from dataclasses import fields, replace

    from diarize.config import load
    from diarize.inference.diarize import DiarizerSettings

    conf = arguments.conf
    settings = load(DiarizerSettings, conf, "infer") if conf else DiarizerSettings()
    said = {field.name: getattr(arguments, field.name, None) for field in fields(settings)}
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def _diarizer(arguments: argparse.Namespace, settings):  # type: ignore[no-untyped-def]
    """The networks in place, with the threads, the device and the seed that were asked for."""
    import torch

    from diarize.inference.diarize import Diarizer

    if arguments.threads is not None:
        if arguments.threads < 1:
            raise BadCall(f"--threads is {arguments.threads}; it must be at least 1")
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    try:
        device = torch.device(arguments.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise BadCall(f"--device {arguments.device}: {first}") from None
    return Diarizer(settings, device=arguments.device)
