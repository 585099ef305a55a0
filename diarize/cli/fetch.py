"""`diarize fetch CORPUS --data DIR`: get or make the recordings of a recipe, once."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

CORPORA = {
    "mini": "a real call of 30 s (from the pyannote-audio wheel) and a synthetic conversation",
    "simulated": "conversations made from recordings of single speakers (--speech)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize fetch` takes to its parser."""
    told = "; ".join(f"{name}: {what}" for name, what in CORPORA.items())
    parser.add_argument("corpus", metavar="CORPUS", choices=CORPORA, help=told)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder to put all of it into"
    )
    parser.add_argument(
        "--conf", type=Path, metavar="FILE", help="settings, in the [data] table of a TOML file"
    )
    parser.add_argument("--offline", action="store_true", help="take nothing from the network")
    parser.add_argument("--seed", type=int, metavar="N", help="of all that is drawn by chance")
    made = parser.add_argument_group("for simulated")
    made.add_argument("--speech", type=Path, metavar="DIR", help="folder with speakers.tsv")
    made.add_argument("--noises", type=Path, metavar="DIR", help="folder of noises")
    made.add_argument("--rooms", type=Path, metavar="DIR", help="folder of room responses")
    made.add_argument("--count", type=int, metavar="N", help="how many conversations")


def run(arguments: argparse.Namespace) -> int:
    """Make the corpus unless it is there; print its manifest's path."""
    from diarize.config import load
    from diarize.corpora.mini import MiniSettings, make_mini
    from diarize.corpora.simulated import SimulatedData, make_simulated
    from diarize.errors import BadCall

    given = {name: getattr(arguments, name) for name in ("speech", "noises", "rooms", "count")}
    given = {name: value for name, value in given.items() if value is not None}
    if given and arguments.corpus == "mini":
        raise BadCall(f"--{next(iter(given))} is for simulated; mini takes none")
    if arguments.seed is not None:
        if arguments.seed < 0:
            raise BadCall(f"--seed {arguments.seed}; expected 0 or more")
        given["seed"] = arguments.seed
    if arguments.corpus == "mini":
        mini = load(MiniSettings, arguments.conf, "data") if arguments.conf else MiniSettings()
        fetched = make_mini(arguments.data, replace(mini, **given), offline=arguments.offline)
    else:
        data = load(SimulatedData, arguments.conf, "data") if arguments.conf else SimulatedData()
        fetched = make_simulated(arguments.data, replace(data, **given))
    for note in fetched.notes:
        print(f"diarize fetch: {note}", file=sys.stderr)
    done = "made" if fetched.is_new else "nothing to do, already there:"
    number = f"{fetched.n_recordings} recording{'s' * (fetched.n_recordings != 1)}"
    print(f"diarize fetch: {done} {number} in {arguments.data}", file=sys.stderr)
    print(fetched.manifest)
    return 0
