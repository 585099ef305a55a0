"""`diarize codes score STEMS`: bits a code of unseen songs, and a Fréchet distance of new music."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from diarize.cli.machine import add_machine_arguments, use_machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the action takes."""
    add = parser.add_argument
    add("stems", type=Path, metavar="STEMS", help="songs to score by, a folder of stems each")
    add("--train", type=Path, required=True, metavar="STEMS", help="songs that were trained on")
    add("--develop", type=Path, required=True, metavar="STEMS", help="songs to set baselines by")
    add("--train-songs", type=int, metavar="N", help="only the first N of --train, by name")
    add("--weights", metavar="FILE", help="trained weights (default: those that ship)")
    add("--n", type=int, default=0, metavar="N", help="windows to make for the Fréchet distance")
    add("--temperature", type=float, default=1.0, metavar="T", help="of those (default: 1)")
    add("--top-p", type=float, default=1.0, metavar="P", help="of those (default: 1)")
    add("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    add_machine_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score, and print a table of bits a code, by stage and by stem."""
    from diarize.formats.text import save_text
    from diarize.inference import music_scores
    from diarize.inference.music import DEFAULT_MODEL, MusicMaker
    from diarize.models.rqtransformer.sampling import Drawing
    from diarize.scoring.grid import aligned

    use_machine(arguments)
    drawing = Drawing(arguments.temperature, None, arguments.top_p)
    maker = MusicMaker(arguments.weights or DEFAULT_MODEL, arguments.device)
    songs = music_scores.songs_in(arguments.stems, maker.sources)
    train = music_scores.songs_in(arguments.train, maker.sources, arguments.train_songs)
    develop = music_scores.songs_in(arguments.develop, maker.sources)
    found = music_scores.code_scores(maker, songs, train, develop)
    table = found.table(maker.sources)
    print("\n".join([f"{table.title}:", *aligned(table)]))
    print(f"{found.n_windows} windows of {found.n_songs} songs; counted on {found.n_counted}")
    facts = {"codes": dataclasses.asdict(found), "codec": maker.codec.name}
    if arguments.n:
        how = {"seed": arguments.seed, "drawing": drawing}
        sound = music_scores.sound_scores(maker, songs, train, arguments.n, **how)
        facts |= {"sound": dataclasses.asdict(sound), "embedding": music_scores.EMBEDDING}
        print(f"Fréchet distance to test songs ({music_scores.EMBEDDING}):")
        for name, value in dataclasses.asdict(sound).items():
            print(f"  {name} {value:.1f}" if isinstance(value, float) else f"  {name} {value}")
    if arguments.json:
        save_text(arguments.json, json.dumps(facts, indent=2, default=lambda one: one.tolist()))
    return 0
