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
    parser.add_argument(
        "--part", metavar="I/N", help="only share I of N, for N at work at once (scenes)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare the corpus; print its summary's path."""
    from diarize.config import read_toml
    from diarize.corpora.supplies import prepare

    conf = arguments.conf
    settings = read_toml(conf).get("data", {}) if conf else {}
    where = f"{conf} [data]" if conf else "the defaults"
    part = _part(arguments.part)
    summary = prepare(arguments.corpus, arguments.data, settings, where, part)
    print(f"diarize prepare: {arguments.corpus} in {arguments.data}", file=sys.stderr)
    print(summary)
    return 0


def _part(said: str | None) -> tuple[int, int] | None:
    """The share that `--part` names, as its number from 1 and how many there are."""
    from diarize.errors import BadCall

    if said is None:
        return None
    number, _, of = said.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadCall(f"--part {said}; 1/4 to 4/4, say, would be right")
    return int(number), int(of)
