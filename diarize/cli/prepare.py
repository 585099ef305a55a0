"""`diarize prepare CORPUS --data DIR`: make of what was fetched the sets to train and test on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CORPORA = {
    "digits": "single digits and mixtures of them, from MNIST (`diarize fetch mnist`)",
    "scenes": "what is heard of recordings with a known truth (a manifest.jsonl in each folder)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize prepare` takes to its parser."""
    told = "; ".join(f"{name}: {what}" for name, what in CORPORA.items())
    parser.add_argument("corpus", metavar="CORPUS", choices=CORPORA, help=told)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with what was fetched; what is prepared is put there too",
    )
    parser.add_argument(
        "--conf", type=Path, metavar="FILE", help="settings, in the [data] table of a TOML file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare the corpus; print its summary's path."""
    from diarize.config import read_toml
    from diarize.corpora.supplies import prepare

    conf = arguments.conf
    settings = read_toml(conf).get("data", {}) if conf else {}
    where = f"{conf} [data]" if conf else "the defaults"
    summary = prepare(arguments.corpus, arguments.data, settings, where)
    print(f"diarize prepare: {arguments.corpus} in {arguments.data}", file=sys.stderr)
    print(summary)
    return 0
