"""A result as a notebook shows it: a small table of the speakers above the picture."""

from __future__ import annotations

import base64
import html

from pyannote.core import Annotation

from diarize.viz.lanes import clock, lanes

DOT = "display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.5em"


def card(annotation: Annotation, recording: str, duration_s: float, picture: bytes) -> str:
    """Return a piece of HTML: how many speak, a row for each, and the PNG `picture` within it.

    A share is of the recording; where people talk at once, the shares add up to more than is
    speech. It holds no script and asks for nothing from elsewhere.
    """
    found = lanes(annotation)
    title = f"{recording}: {len(found)} speaker{'s' * (len(found) != 1)} in {clock(duration_s, 1)}"
    rows = "".join(
        f'<tr><td style="text-align:left"><span style="{DOT};background:{lane.hue}"></span>'
        f"{html.escape(lane.speaker)}</td><td>{clock(lane.speech_s, 1)}</td>"
        f"<td>{lane.speech_s / duration_s:.0%}</td><td>{len(lane.turns)}</td></tr>"
        for lane in found
    )
    table = (
        '<table><thead><tr><th style="text-align:left">speaker</th><th>speech</th>'
        f"<th>share</th><th>turns</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    image = base64.b64encode(picture).decode()
    return (
        f"<div><p><b>{html.escape(title)}</b></p>{table if found else '<p>no speech</p>'}"
        f'<img style="max-width:100%" alt="who spoke when" '
        f'src="data:image/png;base64,{image}"></div>'
    )
