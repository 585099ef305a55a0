"""What `diarize images` does where data have several views: PolyMNIST and its like."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ABOUT = "views.json"  # of a result on views, and of no other


def is_of_views(result: Path) -> bool:
    """Whether a result is one on several views."""
    return (result / ABOUT).is_file()


def infer(arguments: argparse.Namespace, model: object, card: dict[str, Any]) -> int:
    """Try a model of several views; print the path of views.json."""
    from diarize.config import load
    from diarize.inference.multiview import MultiviewInferSettings, try_views

    conf, folder = arguments.conf, arguments.output
    settings = load(MultiviewInferSettings, conf, "infer") if conf else MultiviewInferSettings()
    folder.mkdir(parents=True, exist_ok=True)

    def tell(what: str) -> None:
        print(f"diarize images infer: {what}", file=sys.stderr, flush=True)

    try_views(model, card, arguments.data, folder, settings, name=arguments.name, notify=tell)
    print(folder / ABOUT)
    return 0


def score(arguments: argparse.Namespace) -> int:
    """Score a result on several views, write what was asked for, and print the tables."""
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import multiview_scores as told
    from diarize.inference import multiview_tables as tables
    from diarize.inference.multiview_results import on_the_same_data, read_about_views

    conf, result = arguments.conf, arguments.result
    default = told.MultiviewScoreSettings()
    settings = load(told.MultiviewScoreSettings, conf, "score") if conf else default
    experiments = result.resolve().parent.parent
    judge = told.load_judge(experiments, settings.judge) if settings.judge else None
    if settings.judge and judge is None:
        how = f"train it: --conf conf/{settings.judge}.toml --stop-stage 3"
        print(f"diarize images score: no judge {settings.judge} yet; {how}", file=sys.stderr)
    about, folders = read_about_views(result), [result]
    for folder in (experiments / name / "result" for name in settings.beside):
        if is_of_views(folder) and on_the_same_data(about, read_about_views(folder)):
            folders.append(folder)
        else:
            why = "is of other data" if is_of_views(folder) else "is not there"
            print(f"diarize images score: {folder} {why}; left out", file=sys.stderr)
    scores = [told.score_views(one, settings, judge) for one in folders]
    if arguments.output:
        save_text(arguments.output, tables.views_json(scores))
    if arguments.markdown:
        save_text(arguments.markdown, tables.views_markdown(scores))
    print(tables.views_text(scores), end="")
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Write the page of a result on several views; print its path."""
    from diarize.config import load
    from diarize.formats.text import save_text
    from diarize.inference import multiview_report as told
    from diarize.inference.image_report import curve_section, score_section
    from diarize.inference.image_results import Origin
    from diarize.inference.multiview_results import read_about_views
    from diarize.training.journal import JOURNAL
    from diarize.viz.image_page import image_page
    from diarize.weights import named_weights

    conf, about = arguments.conf, read_about_views(arguments.result)
    default = told.MultiviewReportSettings()
    settings = load(told.MultiviewReportSettings, conf, "report") if conf else default
    sections = [score_section(arguments.score)] if arguments.score else []
    sections += told.view_sections(arguments.result, settings)
    if arguments.model:
        journal = named_weights(arguments.model).with_name(JOURNAL)
        curves = curve_section(journal, Origin(about.name, about.kind, about.checksum))
        sections += [curves] if curves else []
    remark = f"Weights {about.checksum} of a model of kind {about.kind}."
    page = image_page(f"What views share, and what is their own: {about.name}", remark, sections)
    save_text(arguments.output, page)
    print(arguments.output)
    return 0
