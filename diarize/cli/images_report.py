"""`diarize images report`: mixtures, what was separated, latents, learning and scores as a page."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize images report` takes to its parser."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--result", type=Path, required=True, metavar="DIR", help="of `diarize images infer -o`")
    add(
        "--model",
        metavar="WEIGHTS",
        help="a file or digits, for maps of latents; curves are of the journal.jsonl beside them",
    )
    add("--score", type=Path, metavar="FILE", help="JSON of `diarize images score -o`")
    add("--conf", type=Path, metavar="FILE", help="settings: the [report] table of a TOML file")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the page, an HTML file")


def run(arguments: argparse.Namespace) -> int:
    """Write the page; print its path."""
    from diarize.cli import images_views

    if images_views.is_of_views(arguments.result):
        return images_views.report(arguments)
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import image_report as told
    from diarize.inference.image_results import read_about
    from diarize.training.journal import JOURNAL
    from diarize.training.shipped import load_model
    from diarize.viz.image_page import image_page
    from diarize.weights import named_weights

    conf, data, result = arguments.conf, arguments.data, arguments.result
    default = told.ImageReportSettings()
    settings = load(told.ImageReportSettings, conf, "report") if conf else default
    origin = read_about(result).origin
    sections = [told.score_section(arguments.score)] if arguments.score else []
    sections += told.example_sections(data, result, settings)
    if arguments.model:
        weights = named_weights(arguments.model)
        model, journal = load_model(weights), weights.with_name(JOURNAL)
        has_classes = "pi" in origin.learned
        sections += filter(
            None,
            (
                told.map_section(model, data, has_classes, settings),
                told.curve_section(journal, origin),
            ),
        )
    remark = f"Weights {origin.checksum} of a model of kind {origin.kind}."
    save_text(
        arguments.output, image_page(f"What mixtures are made of: {origin.name}", remark, sections)
    )
    print(arguments.output)
    return 0
