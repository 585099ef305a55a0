"""`diarize separate`: take songs apart, a sound file for each instrument."""

from __future__ import annotations

import argparse
from pathlib import Path

from diarize.cli.machine import add_machine_arguments, use_machine


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
    told = "do not say which instrument components without names are ({track}.names.json)"
    add("--no-names", dest="names", action="store_false", help=told)
    add("--rttm", action="store_true", help="write {track}.rttm too: which instrument plays when")
    told = "trained weights (default: those that ship); or a blind way: nmf, hpss, random"
    add("--model", metavar="FILE", help=told)
    add("--components", type=int, metavar="N", help="of a blind way: how many (default: 2)")
    add("--steps", type=int, metavar="N", help="of a model that draws, such as composable")
    add(
        "--adapt-steps",
        type=int,
        metavar="N",
        help="steps by which shares of the mixture are fitted to the song itself; 0: none",
    )
    add(
        "--samples",
        type=int,
        metavar="K",
        help="draw K times, keep the mean, write {track}.uncertainty.csv: how far they lie apart",
    )
    add(
        "--passes",
        type=int,
        metavar="N",
        help="hear each window N times, in keys a semitone apart, and take the mean: better, and N "
        "times as long (1 to 5; default: what the model was made for, 3 of rqvae)",
    )
    told = "weights of a second separator that is heard besides; none: of none (default: what the "
    add("--second", metavar="FILE", help=told + "model was made for)")
    add("--output-by", choices=("mixture", "codes"), help="sound of the mixture, or of codes alone")
    add("--conf", type=Path, metavar="FILE", help="settings: the [infer] table of a TOML file")
    add("--fresh", action="store_true", help="do finished songs again")
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the call, load the model once, go through the songs; print the paths of stems."""
    from diarize.cli.progress import progress_bar
    from diarize.cli.separate_model import make_separator
    from diarize.cli.separate_outcomes import tell_songs
    from diarize.inference import separate_files, sources
    from diarize.inference.batch import check_folder

    said = arguments.output, arguments.name, arguments.format, arguments.subtype
    files = separate_files.FileSettings(*said, arguments.rttm, arguments.fresh, arguments.names)
    separate_files.check_places(arguments.inputs, arguments.output)
    found = sources.find_sources(arguments.inputs)
    use_machine(arguments)
    separator = make_separator(arguments)
    check_folder(arguments.output)
    with progress_bar(len(found)) as told:
        return tell_songs(separate_files.separate_all(found, separator, files, told), told)
