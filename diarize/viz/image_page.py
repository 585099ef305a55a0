"""A report of pictures, tables and sounds: one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from diarize import __version__
from diarize.scoring.grid import Grid
from diarize.viz.page import POLICY, STYLE
from diarize.viz.timeline import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OWN = """
figure { margin: .8rem 0; } figcaption { color: var(--faint); margin: 0 0 .3rem; }
img { max-width: 100%; height: auto; border-radius: 6px; background: #fff; }
section { margin: 1.6rem 0; } h3 { font-size: 1rem; margin: 1rem 0 0; }
ul { color: var(--faint); padding-left: 1.2rem; }
"""


@dataclass(frozen=True)
class Picture:
    """A figure, what it shows in a sentence, and the same for who cannot see it."""

    figure: Figure
    caption: str


@dataclass(frozen=True)
class Clip:
    """A sound to play, full scale 1, and what it is."""

    samples: Float[np.ndarray, "channel time"]
    rate_hz: int
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, a remark, then tables, sounds, pictures, lines of small print."""

    title: str
    remark: str = ""
    grids: tuple[Grid, ...] = ()
    pictures: tuple[Picture, ...] = ()
    lines: tuple[str, ...] = ()
    clips: tuple[Clip, ...] = ()


def image_page(title: str, remark: str, sections: Sequence[Section]) -> str:
    """Return a page as one HTML document, with all pictures in it as PNG."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{_text(title)}</title>
<style>{STYLE}{_OWN}</style>
</head>
<body>
<h1>{_text(title)}</h1>
<p>{_text(remark)} diarize {__version__}.</p>
{"".join(map(_section, sections))}
</body>
</html>
"""


def _text(words: object) -> str:
    """Return words as HTML; what is no character becomes `?`."""
    return html.escape(str(words).encode("utf-8", "replace").decode())


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{_text(section.title)}</h2>\n"]
    if section.remark:
        parts.append(f"<p>{_text(section.remark)}</p>\n")
    parts += [_table(grid) for grid in section.grids]
    parts += [_clip(clip) for clip in section.clips]
    parts += [_picture(picture) for picture in section.pictures]
    if section.lines:
        parts.append(f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in section.lines)}</ul>\n")
    return "".join([*parts, "</section>\n"])


def _table(grid: Grid) -> str:
    head = "".join(f'<th scope="col">{_text(word)}</th>' for word in grid.header)
    rows = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        f"{''.join(f'<td>{_text(cell)}</td>' for cell in row[1:])}</tr>\n"
        for row in grid.rows
    )
    name = _text(grid.title)
    return f"""<h3>{name}</h3>
<div class="wide" tabindex="0" role="region" aria-label="{name}"><table>
<thead><tr>{head}</tr></thead>
<tbody>{rows}</tbody>
</table></div>
"""


def _picture(picture: Picture) -> str:
    data = base64.b64encode(png(picture.figure)).decode()
    caption = _text(picture.caption)
    return (
        f'<figure><figcaption>{caption}</figcaption><img alt="{caption}" '
        f'src="data:image/png;base64,{data}"></figure>\n'
    )


def _clip(clip: Clip) -> str:
    """A player with the sound in it, as FLAC; what is beyond full scale is held there."""
    import soundfile

    buffer = io.BytesIO()
    held = clip.samples.clip(-1, 1).T
    soundfile.write(buffer, held, clip.rate_hz, format="FLAC", subtype="PCM_16")
    data = base64.b64encode(buffer.getvalue()).decode()
    caption = _text(clip.caption)
    return (
        f'<figure><figcaption>{caption}</figcaption><audio controls preload="none" '
        f'aria-label="{caption}" src="data:audio/flac;base64,{data}"></audio></figure>\n'
    )
