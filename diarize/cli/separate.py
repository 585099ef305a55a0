"""`diarize separate`: take songs apart, a sound file for each instrument."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.cli.machine import add_machine_arguments, use_machine

if TYPE_CHECKING:
    from diarize.inference.separate import SeparatorSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes; a setting left out has its value from --conf, or its default."""
    add = parser.add_argument
    add("inputs", nargs="+", metavar="AUDIO", help="files, folders or lists (.txt .scp .jsonl)")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where the stems go")
    add("--stems", metavar="A,B", help="only these, such as drums,bass")
    add("--two-stems", metavar="A", help="two: this one, and all that is not it")
    add("--sum-to-mix", action="store_true", default=None, help="stems add up to the mix exactly")
    add("--format", default="wav", metavar="F", help="wav, flac or ogg (default: wav)")
    add("--subtype", metavar="S", help="int16 (default), int24, float32; ogg: vorbis")
    add(
        "--name",
        default="{track}/{stem}.{ext}",
        metavar="T",
        help="of files (default: %(default)s)",
    )
    add("--rttm", action="store_true", help="write {track}.rttm too: which instrument plays when")
    add("--model", metavar="FILE", help="trained weights (default: those that ship)")
    add("--output-by", choices=("mixture", "codes"), help="sound of the mixture, or of codes alone")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--fresh", action="store_true", help="do finished songs again")
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the call, load the model once, go through the songs; print the paths of stems."""
    from diarize.cli.progress import progress_bar
    from diarize.cli.separate_outcomes import tell_songs
    from diarize.inference import separate_files, sources
    from diarize.inference.batch import check_folder
    from diarize.inference.separate import Separator

    said = arguments.output, arguments.name, arguments.format, arguments.subtype
    files = separate_files.FileSettings(*said, arguments.rttm, arguments.fresh)
    separate_files.check_places(arguments.inputs, arguments.output)
    found = sources.find_sources(arguments.inputs)
    settings = _settings(arguments)
    use_machine(arguments)
    separator = Separator(settings, arguments.device)
    check_folder(arguments.output)
    with progress_bar(len(found)) as told:
        return tell_songs(separate_files.separate_all(found, separator, files, told), told)


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
    return replace(settings, **{name: value for name, value in said.items() if value is not None})
