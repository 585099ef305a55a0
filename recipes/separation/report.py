"""Stage 6: scores, how the training went, and what was trained on, on one page, with a picture."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from diarize.errors import DiarizeError
from diarize.formats.text import read_text, save_text
from diarize.formats.tracks import find_tracks, read_samples, read_track
from diarize.formats.whole import whole
from diarize.viz.spectrogram import stem_spectrograms
from diarize.viz.stem_page import paired

log = logging.getLogger("report")
EXCERPT_S = 12.0


def page(exp: Path, data: Path, sets: Path) -> str:
    """Return the report of an experiment as Markdown; `sets` hold the stems it was tested on."""
    lines = [f"# {exp.name}", ""]
    for path in sorted((exp / "score").glob("*.md")):
        picture = _picture(exp, sets, path.stem)
        lines += [f"## {path.stem}", "", read_text(path)]
        lines += [f"![true and found stems of a song]({picture})", ""] if picture else []
    return "\n".join([*lines, *_training(exp / "train"), *_songs(data)]) + "\n"


def _picture(exp: Path, sets: Path, part: str) -> str | None:
    """Draw the middle of the first song of a part; return the picture's name."""
    songs = find_tracks(sets / "stems" / part)
    place = exp / "result" / part / songs[0].name
    if not place.is_dir():
        return None
    song, made = songs[0], read_track(place)
    found = {name: made.stems[own] for name, own in paired(song, made).items()}
    n_samples = min(round(EXCERPT_S * song.rate_hz), song.n_samples)
    start = (song.n_samples - n_samples) // 2
    sounds = [
        {name: read_samples(path, start, n_samples).mean(axis=0) for name, path in own.items()}
        for own in (song.stems, found)
    ]
    name = f"stems_{part}.png"
    with whole(exp / name) as unfinished:
        stem_spectrograms(sounds[0], sounds[1], song.rate_hz).savefig(unfinished, format="png")
    return name


def _training(folder: Path) -> Iterator[str]:
    path = folder / "journal.jsonl"
    if not path.exists():
        return
    rows = [json.loads(line) for line in read_text(path).splitlines()]
    yield from (
        "## Training",
        "",
        "| phase | steps | minutes | loss, last line |",
        "|---|--:|--:|--:|",
    )
    for phase in dict.fromkeys(row["phase"] for row in rows):
        own = [row for row in rows if row["phase"] == phase and row["kind"] == "step"]
        if own:
            last = own[-1]
            told = "-" if last["total"] is None else f"{last['total']:.4f}"
            yield f"| {phase} | {last['steps']} | {last['seconds'] / 60:.1f} | {told} |"
    yield ""


def _songs(data: Path) -> Iterator[str]:
    facts = json.loads(read_text(data / "stems" / "songs.json"))
    yield from (
        "## Songs",
        "",
        "| part | songs | minutes | without a source |",
        "|---|--:|--:|---|",
    )
    for name, part in facts["parts"].items():
        lacking = ", ".join(
            f"{source} {count}" for source, count in part["without"].items() if count
        )
        minutes = part["duration_s"] / 60
        yield f"| {name} | {len(part['songs'])} | {minutes:.1f} | {lacking or '-'} |"
    yield ""
    rendered = data / "summary.json"
    if rendered.exists():
        facts = json.loads(read_text(rendered))
        yield f"Rendered by {facts['synthesizer']}, sha256 {facts['sha256'][:12]}."
        for path, why in (facts["skipped_songs"] | facts["skipped_soundfonts"]).items():
            yield f"- left out: {path}: {why}"


def main() -> int:
    """Write the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, help="with the stems of tests, if not DIR of --data")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        sets = arguments.sets or arguments.data
        save_text(arguments.output, page(arguments.exp, arguments.data, sets))
    except DiarizeError as error:
        log.error("report: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.exit(main())
