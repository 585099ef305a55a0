"""`diarize factors report`: beta ladders, edits, samples, learning and scores as a page."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize factors report` takes to its parser."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made")
    add("--result", type=Path, required=True, metavar="DIR", help="of `diarize factors infer -o`")
    add("--journal", type=Path, metavar="FILE", help="journal.jsonl of the training, for curves")
    add("--score", type=Path, metavar="FILE", help="JSON of `diarize factors score -o`")
    add("--conf", type=Path, metavar="FILE", help="settings: the [report] table of a TOML file")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the page, an HTML file")


def run(arguments: argparse.Namespace) -> int:
    """Write the page; print its path."""
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import factors_report as told
    from diarize.inference.factors_results import read_factors
    from diarize.viz.image_page import image_page

    conf = arguments.conf
    default = told.FactorReportSettings()
    settings = load(told.FactorReportSettings, conf, "report") if conf else default
    about = read_factors(arguments.result).about
    sections = told.sections_of(
        arguments.data, arguments.result, arguments.journal, arguments.score, settings.n_samples
    )
    remark = f"Weights {about.checksum}, a model of kind {about.kind}; stage one {about.stage_one}."
    save_text(arguments.output, image_page(f"Images at many betas: {about.name}", remark, sections))
    print(arguments.output)
    return 0
