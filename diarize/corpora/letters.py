"""A second alphabet beside the digits: printed letters, rendered and distorted by chance.

Streams beyond ten need other glyphs than digits. Mirrored or turned digits would be other glyphs
in name only (0, 1 and 8 look the same mirrored, 6 turned is 9), so these are letters: Latin
capitals without those that are digits in some hands (I, O, S, Z), and Greek capitals that no
Latin one looks like. The faces are those that come with matplotlib (DejaVu: free licence of its
own; STIX: SIL Open Font License); no face serves both training and testing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from diarize.corpora.chance import generator_of, torch_generator
from diarize.corpora.distortion import Distortion, distort
from diarize.errors import BadFile

LETTERS = "ABCDEFGHJKLMNPQRTUVWXYΔΘΞΠΣΦΨΩ"
SIZE = 28  # pixels a side, and as MNIST has it: the glyph in a box of 20 around its centre of mass
BOX = 20
FINE = 2  # rendered and distorted at so many times the size, then averaged
FACES: dict[str, tuple[str, ...]] = {
    "train": (
        "DejaVuSans",
        "DejaVuSans-Bold",
        "DejaVuSans-BoldOblique",
        "DejaVuSansMono-BoldOblique",
        "DejaVuSerif",
        "DejaVuSerif-Italic",
        "DejaVuSerif-BoldItalic",
        "STIXGeneral",
        "STIXGeneralBolIta",
        "DejaVuSansMono",
    ),
    "dev": ("DejaVuSansMono-Oblique", "STIXGeneralItalic"),
    "test": ("DejaVuSans-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif-Bold", "STIXGeneralBol"),
}
HAND = Distortion(rotation_deg=12.0, scale=0.1, shear=0.2, shift_px=0.7, elastic_px=1.75)
_CHUNK = 500  # images distorted at once


def rendered_letters(
    letter: str, n_images: int, part: Literal["train", "dev", "test"], seed: int
) -> UInt8[np.ndarray, "image 28 28"]:
    """Images of one letter in faces of that part drawn by chance, each distorted its own way.

    They hang on the letter, the part and the seed alone.

    Raises:
        BadFile: the faces are not in this matplotlib, or lack the letter.
    """
    masters = torch.stack([_master(letter, face) for face in FACES[part]])
    chance = generator_of(seed, "letters", part, letter)
    generator = torch_generator(chance)
    made = []
    for start in range(0, n_images, _CHUNK):
        faces = chance.integers(len(masters), size=min(_CHUNK, n_images - start))
        fine = distort(masters[torch.from_numpy(faces)], HAND, generator)
        made.append((255 * functional.avg_pool2d(fine[:, None], FINE)[:, 0]).round().byte())
    return torch.cat(made).numpy() if made else np.zeros((0, SIZE, SIZE), np.uint8)


def _master(letter: str, face: str) -> Float[torch.Tensor, "row column"]:
    """The letter in 0 to 1, undistorted, its longer side as long as the box; `FINE` times."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties, get_font
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    if not path.is_file():
        raise BadFile(f"{path}: not in this matplotlib ({matplotlib.__version__}); expected 3.9")
    if not get_font(path).get_char_index(ord(letter)):
        raise BadFile(f"{path}: has no {letter!r}; take fewer letters")
    side = FINE * SIZE
    outline = TextPath((0, 0), letter, size=100, prop=FontProperties(fname=path))
    around = outline.get_extents()
    scale = FINE * BOX / max(around.width, around.height)
    centred = Affine2D().translate(-around.x0 - around.width / 2, -around.y0 - around.height / 2)
    figure = Figure(figsize=(1, 1), dpi=side)
    canvas = FigureCanvasAgg(figure)
    placed = centred.scale(scale).translate(side / 2, side / 2)
    figure.add_artist(PathPatch(outline, transform=placed, facecolor="black", linewidth=0))
    canvas.draw()
    ink = 1 - np.asarray(canvas.buffer_rgba())[:, :, 0].astype(np.float32) / 255
    return torch.from_numpy(_centred(ink))


def _centred(ink: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """The image moved by whole pixels until its centre of mass is its centre, as MNIST's is."""
    shifts = []
    for axis in (0, 1):
        mass = ink.sum(axis=1 - axis)
        middle = (len(mass) - 1) / 2
        shifts.append(round(middle - float(mass @ np.arange(len(mass)) / mass.sum())))
    return np.roll(ink, shifts, axis=(0, 1))  # its edges are black, and far wider than that
