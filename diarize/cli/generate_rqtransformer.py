"""`diarize generate --model rqtransformer`: music made of codes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from diarize.cli.machine import use_machine
from diarize.errors import BadCall

if TYPE_CHECKING:
    from diarize.inference.music import Music, MusicMaker


def add_arguments(parser: Any) -> None:
    """Declare what this maker alone takes."""
    add = parser.add_argument
    add("--temperature", type=float, metavar="T", help="1: as learned; 0: the likeliest codes")
    add("--top-k", type=int, metavar="K", help="draw among the K likeliest codes only")
    add("--top-p", type=float, metavar="P", help="draw among the likeliest codes of probability P")
    add("--given-seconds", type=float, metavar="S", help="how much of --given to go on from")
    add("--impute", metavar="START:END", help="make these seconds of --given anew")
    add("--missing", metavar="A,B", help="make only these stems of --given anew")


def run(arguments: argparse.Namespace) -> int:
    """Make the pieces, and write them; print their folders."""
    from diarize.formats.code_files import ENDING, save_codes
    from diarize.formats.tracks import save_samples, save_tracks
    from diarize.inference.batch import check_folder
    from diarize.inference.music import DEFAULT_MODEL, MusicMaker

    fills = arguments.impute is not None or arguments.missing is not None
    if arguments.given is None and (fills or arguments.given_seconds is not None):
        raise BadCall("--impute, --missing and --given-seconds need --given: stems, or codes")
    use_machine(arguments)
    maker = MusicMaker(arguments.weights or DEFAULT_MODEL, arguments.device)
    check_folder(arguments.output)
    made = _filled(maker, arguments) if fills else _made(maker, arguments)
    for number, music in enumerate(made, 1):
        folder = arguments.output / f"{number:03d}"
        save_tracks(folder, music.tracks, "wav", "float32")
        save_samples(folder / "mix.wav", music.mixture, music.tracks.rate_hz, "float32")
        save_codes(folder / f"music{ENDING}", music.codes)
        print(folder)
    return 0


def _drawing(arguments: argparse.Namespace) -> Any:
    from diarize.models.rqtransformer.sampling import Drawing

    said = {name: getattr(arguments, name) for name in ("temperature", "top_k", "top_p")}
    return Drawing(**{name: value for name, value in said.items() if value is not None})


def _made(maker: MusicMaker, arguments: argparse.Namespace) -> list[Music]:
    """From nothing, or on from the first half of as much as is made."""
    beginning, drawing = None, _drawing(arguments)
    if arguments.given is not None:
        most_s = arguments.given_seconds or (arguments.seconds or maker.longest_s) / 2
        beginning = maker.read(arguments.given, most_s)
    told = {"seed": arguments.seed, "drawing": drawing, "beginning": beginning}
    return maker.make(arguments.n, arguments.seconds, **told)


def _filled(maker: MusicMaker, arguments: argparse.Namespace) -> list[Music]:
    """What is given, with what is missing made anew."""
    from diarize.inference.music import Missing

    longest_s = maker.frames(arguments.seconds) / maker.codec.frame_rate_hz
    start_s, end_s = _stretch(arguments.impute) if arguments.impute else (0.0, None)
    stems = tuple(arguments.missing.replace(" ", "").split(",")) if arguments.missing else ()
    missing = Missing(start_s, end_s, stems)
    given = maker.read(arguments.given, arguments.given_seconds or longest_s)
    told = {"seed": arguments.seed, "drawing": _drawing(arguments)}
    return maker.fill(given, missing, arguments.n, **told)


def _stretch(words: str) -> tuple[float, float]:
    start, _, end = words.partition(":")
    try:
        return float(start), float(end)
    except ValueError:
        raise BadCall(f"--impute {words}; START:END in seconds, such as 4:6, is right") from None
