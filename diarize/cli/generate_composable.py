"""`diarize generate --model composable`: music out of latents of components."""

from __future__ import annotations

import argparse
from typing import Any

from diarize.cli.machine import use_machine


def add_arguments(parser: Any) -> None:
    """Declare what this maker alone takes."""
    add = parser.add_argument
    add("--steps", type=int, metavar="N", help="of both samplers (default: as the weights say)")
    add(
        "--strength",
        type=float,
        metavar="A",
        help="below 1: a variation of --given, of so much noise (default: 1, all anew but it)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the pieces, and write their components and their sum; print their folders."""
    import numpy as np

    from diarize.errors import BadCall
    from diarize.formats.tracks import save_samples, save_tracks
    from diarize.inference.batch import check_folder
    from diarize.inference.composer import DEFAULT_MODEL, Composer

    if arguments.strength is not None and arguments.given is None:
        raise BadCall("--strength needs --given: a file to make variations of")
    if arguments.steps is not None and not 1 <= arguments.steps <= 1000:
        raise BadCall(f"--steps is {arguments.steps}; it must be from 1 to 1000")
    use_machine(arguments)
    composer = Composer(arguments.weights or DEFAULT_MODEL, arguments.device)
    check_folder(arguments.output)
    pieces = composer.make(
        arguments.n,
        arguments.seconds,
        seed=arguments.seed,
        steps=arguments.steps,
        given=arguments.given,
        strength=1.0 if arguments.strength is None else arguments.strength,
    )
    for number, tracks in enumerate(pieces, 1):
        folder = arguments.output / f"{number:03d}"
        save_tracks(folder, tracks, "wav", "float32")
        mixture = np.stack(list(tracks.samples.values())).sum(axis=0)
        save_samples(folder / "mix.wav", mixture, tracks.rate_hz, "float32")
        print(folder)
    return 0
