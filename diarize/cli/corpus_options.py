"""What `diarize fetch` and `diarize prepare` take of some corpora only."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OPTION_NAMES = {"mnist": "from"}  # where an option is not called as its setting


def add_music_options(parser: argparse.ArgumentParser) -> None:
    """What music is rendered from."""
    add = parser.add_argument_group("for rendered; else what Debian's packages hold").add_argument
    add("--midi", type=Path, nargs="+", metavar="DIR", help="folders of MIDI files")
    add("--soundfonts", type=Path, nargs="+", metavar="DIR", help="folders of them, or of npm's")


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Where recordings of the user's own lie."""
    add = parser.add_argument_group("for ami, voxconverse, callhome and folder").add_argument
    add("--corpus", type=Path, metavar="DIR", help="the audio, in the corpus's own layout")
    add("--references", type=Path, metavar="PLACE", help="its RTTM: a folder, or one file")
    add("--uem", type=Path, metavar="PLACE", help="its UEM, for callhome and folder")
    add(
        "--parts",
        nargs="+",
        metavar="PART",
        help="of ami: train, dev, test; voxconverse: dev, test",
    )


def given(arguments: argparse.Namespace, options: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The settings that the call itself names; `options` are what each corpus takes.

    Raises:
        BadCall: one is for another corpus.
    """
    from diarize.errors import BadCall

    corpus = arguments.corpus_name
    names = {name: None for taken in options.values() for name in taken}
    said = {name: getattr(arguments, name, None) for name in names}
    said = {name: _plain(value) for name, value in said.items() if value is not None}
    for name in said:
        if name not in options.get(corpus, ()):
            owners = ", ".join(owner for owner in options if name in options[owner])
            option = OPTION_NAMES.get(name, name)
            raise BadCall(f"--{option} is for {owners}; {corpus} takes none")
    seed = said.get("seed")
    if isinstance(seed, int) and seed < 0:
        raise BadCall(f"--seed {seed}; expected 0 or more")
    return said


def as_toml(said: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings as a conf file would have them."""
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in said.items()}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()
    }


def share(said: str | None) -> tuple[int, int] | None:
    """The share that `--part` names, as its number from 1 and how many there are."""
    from diarize.errors import BadCall

    if said is None:
        return None
    number, _, of = said.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise BadCall(f"--part {said}; 1/4 to 4/4, say, would be right")
    return int(number), int(of)


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
