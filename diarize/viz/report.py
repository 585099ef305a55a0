"""A report: one HTML file that opens anywhere, with timelines, scores and short sound."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from diarize import __version__
from diarize.audio.io import read_audio
from diarize.errors import DiarizeError
from diarize.models.contract import Activity
from diarize.viz.lanes import Lane, clock, envelope, lanes, overlaps, tick_times
from diarize.viz.page import POLICY, SCRIPT, STYLE
from diarize.viz.reliability import reliability
from diarize.viz.scores import Table
from diarize.viz.views import View

ROW_PX = 26
LONGEST_SOUND_S = 600.0  # a longer recording is not even read for its size
SOUND_LIMIT_BYTES = 3_000_000  # in the page, for one recording
PAGE_LIMIT_BYTES = 40_000_000  # of sound in all
N_POINTS = 1500  # of a posterior curve
N_LISTED = 2000  # turns in the table of a recording


def page(views: Sequence[View], scores: Table | None = None, folder: Path | None = None) -> str:
    """Return a report as one HTML document that loads nothing from anywhere.

    Sound of up to 3 MB a recording is put into the page; a longer recording's is linked to where it
    lies, as seen from `folder`, the one that the page goes to.
    """
    room = PAGE_LIMIT_BYTES
    sections = []
    for view in views:
        sound = _sound(view, room, folder)
        room -= len(sound) if sound.startswith("<audio") else 0
        sections.append(_section(view, sound))
    count = f"{len(views)} recording{'s' * (len(views) != 1)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>Who spoke when: {count}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Who spoke when</h1>
<p>{count}, diarize {__version__}. A bar is a turn, and the shade behind it how probable that is; in
lilac, several people talk at once. Reference speakers have the colour of whom they match best.
Click a turn, or use the arrow keys in a timeline, to go there.</p>
{_scores(scores) if scores else ""}
{"".join(sections)}
<script>{SCRIPT}</script>
</body>
</html>
"""


def _text(name: object) -> str:
    """Return a name as HTML; what is no character becomes `?`."""
    return html.escape(str(name).encode("utf-8", "replace").decode())


def _scores(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(word)}</th>' for word in table.header)
    rows = []
    for place, row in enumerate(table.rows):
        total = ' class="total"' if place >= len(table.rows) - table.n_totals else ""
        first = f'<th scope="row">{_text(row[0])}</th>'
        rows.append(
            f"<tr{total}>{first}{''.join(f'<td>{_text(cell)}</td>' for cell in row[1:])}</tr>"
        )
    return f"""<div class="wide" tabindex="0" role="region" aria-label="Scores"><table>
<thead><tr>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody>
</table></div>
<p>{_text(table.foot)}</p>
{reliability(table.held) if table.held else ""}
"""


def _section(view: View, sound: str) -> str:
    found = lanes(view.annotation)
    panels = [("found", found)]
    facts = [clock(view.end_s, 1), f"{len(found)} found to speak"]
    if view.reference is not None:
        true = lanes(view.reference, like=found)
        panels.append(("reference", true))
        facts.append(f"{len(true)} in the reference")
    return f"""<section class="recording" data-end="{view.end_s:.3f}">
<h2>{_text(view.recording)}</h2>
<p>{", ".join(facts)}</p>
{sound}
<div class="bar"><button type="button" data-zoom="0.5" aria-label="zoom out">&minus;</button>
<button type="button" data-zoom="2" aria-label="zoom in">+</button></div>
<div class="timeline"><div class="names">{_names(panels)}</div>
<div class="scroller" tabindex="0" role="group"
 aria-label="Timeline of {_text(view.recording)}; arrow keys go from turn to turn">
<div class="track">{_drawing(view, panels)}{_ticks(view.end_s)}<div class="head"></div>
</div></div></div>
<div class="said faint" aria-live="polite"></div>
{_listing(panels)}
</section>
"""


def _names(panels: list[tuple[str, list[Lane]]]) -> str:
    rows = []
    for title, panel in panels:
        rows.append(f'<div class="panel">{title}{"" if panel else ": no speech"}</div>')
        for lane in panel:
            name = _text(lane.speaker)
            rows.append(
                f'<div title="{name}"><span class="dot" style="background:{lane.hue}"></span>'
                f'{name} <span class="faint">{clock(lane.speech_s, 1)}</span></div>'
            )
    return "".join(rows)


def _drawing(view: View, panels: list[tuple[str, list[Lane]]]) -> str:
    """Return the timeline as SVG: a unit is a second across and a dot down."""
    height = ROW_PX * sum(1 + len(panel) for _, panel in panels)
    parts = [f'<path class="tick" d="M{time:g} 0V{height}"/>' for time in tick_times(view.end_s)[0]]
    top = 0
    for (title, panel), annotation in zip(panels, (view.annotation, view.reference), strict=False):
        top += ROW_PX
        for start_s, end_s in overlaps(annotation).tolist() if annotation is not None else []:
            parts.append(
                f'<rect class="band" x="{start_s:.3f}" y="{top}" width="{end_s - start_s:.3f}" '
                f'height="{ROW_PX * len(panel)}"/>'
            )
        for lane in panel:
            activity = view.activity if title == "found" else None
            parts.append(_lane(lane, title, top, activity))
            top += ROW_PX
    label = "; ".join(
        f"{_text(lane.speaker)} ({title}) {clock(lane.speech_s, 1)}"
        for title, panel in panels
        for lane in panel
    )
    return (
        f'<svg role="img" aria-label="{label or "no speech"}" height="{height}" '
        f'viewBox="0 0 {view.end_s:.3f} {height}" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def _lane(lane: Lane, title: str, top: int, activity: Activity | None) -> str:
    turns = []
    row = None
    if activity is not None and lane.speaker in activity.speakers:
        row = activity.posterior[activity.speakers.index(lane.speaker)]
    for start_s, end_s in lane.turns.tolist():
        sure = ""
        if activity is not None and row is not None:
            first, last = (
                round((at - activity.start_s) / activity.hop_s) for at in (start_s, end_s)
            )
            frames = row[max(0, first) : max(first + 1, last)]
            sure = f' data-sure="{float(frames.mean()):.2f}"' if len(frames) else ""
        turns.append(
            f'<rect class="turn" x="{start_s:.3f}" y="{top + 6}" '
            f'width="{end_s - start_s:.3f}" height="{ROW_PX - 12}"{sure}/>'
        )
    curve = "" if activity is None or row is None else _curve(row, activity, top, lane.hue)
    return (
        f'{curve}<g class="turns" fill="{lane.hue}" stroke="{lane.hue}" '
        f'data-name="{_text(lane.speaker)}" data-panel="{title}">{"".join(turns)}</g>'
    )


def _curve(row: np.ndarray, activity: Activity, top: int, hue: str) -> str:
    """Return the posterior as a filled curve over the whole row."""
    if not len(row):
        return ""
    means, step = envelope(np.asarray(row, float), N_POINTS)
    step_s = step * activity.hop_s
    foot = top + ROW_PX - 1
    points = "".join(
        f"H{activity.start_s + place * step_s:.2f}V{foot - (ROW_PX - 2) * value:.1f}"
        for place, value in enumerate(means.tolist())
    )
    end_s = activity.start_s + len(row) * activity.hop_s
    outline = f"M{activity.start_s:.2f} {foot}{points}H{end_s:.2f}V{foot}z"
    return f'<path class="sure" fill="{hue}" d="{outline}"/>'


def _ticks(end_s: float) -> str:
    times, decimals = tick_times(end_s)
    return "".join(
        f'<span class="when{" last" if time > 0.97 * end_s else ""}" '
        f'style="left:{100 * time / end_s:.3f}%">{clock(time, decimals)}</span>'
        for time in times
    )


def _listing(panels: list[tuple[str, list[Lane]]]) -> str:
    """Return the found turns as a table, for those who read rather than look."""
    turns = sorted(
        (start_s, end_s, lane.speaker)
        for lane in panels[0][1]
        for start_s, end_s in lane.turns.tolist()
    )
    rows = "".join(
        f'<tr data-at="{start_s:.3f}"><td>{_text(speaker)}</td><td>{clock(start_s, 1)}</td>'
        f"<td>{clock(end_s, 1)}</td><td>{end_s - start_s:.1f} s</td>"
        f'<td><button type="button" aria-label="go to {clock(start_s, 1)}">▸</button></td></tr>'
        for start_s, end_s, speaker in turns[:N_LISTED]
    )
    more = f", the first {N_LISTED}" if len(turns) > N_LISTED else ""
    return f"""<details><summary>{len(turns)} turns{more}</summary><div><table>
<thead><tr><th scope="col">speaker</th><th scope="col">from</th><th scope="col">to</th>
<th scope="col">length</th><th scope="col">go</th></tr></thead>
<tbody>{rows}</tbody></table></div></details>"""


def _sound(view: View, room: int, folder: Path | None) -> str:
    """Return a player with the sound in it, one that points at the file, or why there is none."""
    if view.audio is None:
        return ""
    player = (
        '<audio controls preload="{preload}" src="{source}" aria-label="Sound of {name}"></audio>'
    )
    name = _text(view.recording)
    if view.end_s <= LONGEST_SOUND_S:
        try:
            data = _flac(view.audio)
        except DiarizeError as error:
            return f"<p>No sound: {_text(error)}</p>"
        if len(data) * 4 // 3 <= min(SOUND_LIMIT_BYTES, room):
            source = f"data:audio/flac;base64,{base64.b64encode(data).decode()}"
            return player.format(preload="auto", source=source, name=name)
    source = quote(
        os.path.relpath(view.audio, folder or Path()).replace(os.sep, "/"), errors="replace"
    )
    link = player.format(preload="none", source=source, name=name)
    return f"{link}<p>The sound is not in this page; it plays from {_text(view.audio.name)}.</p>"


def _flac(path: Path) -> bytes:
    """Return a recording as FLAC, one channel at the rate we listen at."""
    import soundfile

    audio = read_audio(path)
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.samples, audio.rate_hz, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
