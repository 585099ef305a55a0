"""`diarize report`: results, truth and scores as one page to open in a browser."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize report` takes to its parser."""
    parser.add_argument(
        "--result",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of JSON or RTTM files that `diarize infer -o DIR` wrote",
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="where the recordings' sound is"
    )
    told = "RTTM with the truth; or a folder of songs in true stems, of stems in --result"
    parser.add_argument("--reference", type=Path, metavar="FILE", help=told)
    told = "of stems: how many songs are shown (default: 4)"
    parser.add_argument("--songs", type=int, default=4, metavar="N", help=told)
    parser.add_argument(
        "--score", type=Path, metavar="FILE", help="JSON that `diarize score --json` wrote"
    )
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="also write a PNG picture a recording there"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the page, an HTML file"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the page, and the pictures that were asked for."""
    from diarize.cli.score_stems import are_stems
    from diarize.formats.text import save_text

    if arguments.reference and are_stems(arguments.reference):
        from diarize.viz.stem_page import stem_page

        name = arguments.result.resolve().name
        page_text = stem_page(name, arguments.reference, arguments.result, arguments.songs)
        save_text(arguments.output, page_text)
        return 0
    from diarize.viz.report import page
    from diarize.viz.scores import read_scores
    from diarize.viz.timeline import save_png, timeline
    from diarize.viz.views import read_views

    views = read_views(arguments.result, arguments.manifest, arguments.reference)
    scores = read_scores(arguments.score) if arguments.score else None
    for view in views if arguments.pictures else []:
        figure = timeline(view.annotation, view.reference, view.activity, view.end_s)
        save_png(figure, arguments.pictures / f"{view.stem}.png")
    save_text(arguments.output, page(views, scores, arguments.output.absolute().parent))
    return 0
