"""`diarize score REF EST --frechet`: how far sounds are from true ones, whatever the songs."""

from __future__ import annotations

import argparse
import dataclasses
import math

from diarize.cli.score_terms import check_alone, put_out

ELSEWHERE = ("beside", "permute", "bss_eval", "csv", "uem", "codec", "stems")


def run_sounds(arguments: argparse.Namespace) -> int:
    """Print a distance a stem, with how many windows it rests on; the JSON with --json."""
    check_alone(arguments, "frechet", ELSEWHERE)
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
    if arguments.markdown:
        save_text(arguments.markdown, f"**{grid.title}**\n\n{markdown(grid)}\n- {foot}\n")
    put_out(arguments, facts, "\n".join([grid.title, *aligned(grid), "", foot]) + "\n")
    return 0


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
