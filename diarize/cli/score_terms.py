"""What `diarize score` holds stems to: options, and what they come to."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diarize.errors import BadCall

if TYPE_CHECKING:
    from diarize.scoring.separation_score import Terms


def add_term_options(add: Callable[..., Any]) -> None:
    """Add the options, by the `add_argument` of a parser or a group of it."""
    told = "components without names too: each song's best order, chosen by the truth"
    add("--permute", action="store_true", help=told)
    told = "which windows count: 4 s, two stems playing (msdm), or 7 s, all playing (composable)"
    add("--windows", choices=("msdm", "composable"), default="msdm", help=f"{told} (default: msdm)")
    told = "hold systems to the true stems (raw), or to those sent through --codec (default: raw)"
    add("--reference", dest="against", choices=("raw", "codec"), default="raw", help=told)
    told = "a ceiling too: the true stems sent through this codec (with --reference codec: rvq)"
    add("--codec", metavar="NAME", help=told)
    add("--codec-weights", type=Path, metavar="FILE", help="of that codec, if not those it finds")


def terms_of(arguments: argparse.Namespace) -> Terms:
    """What stems are held to; loads a codec only where one is wanted."""
    from diarize.scoring.separation_score import Terms
    from diarize.scoring.separation_windows import RULES

    rule, name = RULES[arguments.windows], arguments.codec
    if arguments.against == "codec":
        name = name or "rvq"
    elif arguments.codec_weights and not name:
        raise BadCall("--codec-weights without --codec; name the codec")
    if name is None:
        return Terms(rule, arguments.permute)
    from diarize.codecs import load_codec
    from diarize.codecs.round_trip import round_trip

    codec = load_codec(name, arguments.codec_weights)
    return Terms(rule, arguments.permute, name, partial(round_trip, codec), arguments.against)


def check_alone(arguments: argparse.Namespace, option: str, others: Sequence[str]) -> None:
    """See that none of the options `others` was given beside `option`.

    Raises:
        BadCall: one was.
    """
    for name in others:
        if getattr(arguments, name):
            raise BadCall(f"--{name.replace('_', '-')} with --{option}; leave one of them out")


def put_out(arguments: argparse.Namespace, facts: Any, told: str) -> None:
    """Print `told`, or the facts as JSON with `--json -`; into a file with `--json FILE`.

    A number that is none is null there.
    """
    from diarize.formats.text import save_text

    plain = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    text = json.dumps(plain, indent=2) + "\n"
    if arguments.json not in (None, "-"):
        save_text(arguments.json, text)
    print(text if arguments.json == "-" else told, end="")
