"""`diarize score REF EST --frechet`: how far sounds are from true ones, whatever the songs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math

from diarize.errors import BadCall

ELSEWHERE = ("beside", "permute", "bss_eval", "csv", "uem", "codec", "stems")


def run_sounds(arguments: argparse.Namespace) -> int:
    """Print a distance a stem, with how many windows it rests on; the JSON with --json."""
    for name in ELSEWHERE:
        if getattr(arguments, name):
            raise BadCall(f"--{name.replace('_', '-')} with --frechet; leave one of them out")
    from diarize.formats.text import save_text
    from diarize.inference.sound_distance import sound_distances
    from diarize.scoring.grid import Grid, aligned, markdown

    found = sound_distances(arguments.reference, arguments.hypothesis)
    rows = tuple(
        (one.stem, _number(one.distance), _number(one.halves), str(one.n_true), str(one.n_found))
        for one in found.rows
    )
    head = ("stem", "distance", "halves of REF", "windows of REF", "of EST")
    grid = Grid("Fréchet distance of sounds", head, rows)
    foot = f"embedding: {found.embedding}; windows that sound; fewer windows raise a distance"
    facts = {"embedding": found.embedding, "rows": [dataclasses.asdict(one) for one in found.rows]}
    plain = json.loads(json.dumps(facts), parse_constant=lambda _: None)
    text = json.dumps(plain, indent=2) + "\n"
    if arguments.markdown:
        save_text(arguments.markdown, f"**{grid.title}**\n\n{markdown(grid)}\n- {foot}\n")
    if arguments.json not in (None, "-"):
        save_text(arguments.json, text)
    told = "\n".join([grid.title, *aligned(grid), "", foot]) + "\n"
    print(text if arguments.json == "-" else told, end="")
    return 0


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
