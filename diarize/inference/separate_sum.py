"""Stems that add up: the mixture shared out exactly, and one stem against all others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diarize.inference.separate_stream import Piece

STEPS = {"int16": 2**15, "int24": 2**23, "float32": 2**23}  # to full scale, as files hold them


def summed(piece: Piece, subtype: str) -> Piece:
    """Stems that add up to the mixture, step by step of what a file of `subtype` can hold.

    What was left over is shared out as the stems' energies are in this piece. A float32 file holds
    any sum of such steps without rounding. A mixture that is finer than a step is rounded to it.
    """
    steps = STEPS[subtype]
    mixture = np.rint(piece.mixture.astype(np.float64) * steps)
    stems = piece.stems.astype(np.float64) * steps
    energy = (stems**2).sum(axis=(1, 2), keepdims=True) + 1.0
    stems += (mixture - stems.sum(0)) * (energy / energy.sum())
    stems = np.rint(stems)
    loudest = int(energy[:, 0, 0].argmax())
    stems[loudest] += mixture - stems.sum(0)
    return replace(piece, stems=(stems / steps).astype(np.float32))


def in_two(piece: Piece, number: int) -> Piece:
    """Two stems: the one of that number, and all that is not it."""
    one = piece.stems[number]
    return replace(piece, stems=np.stack([one, piece.mixture - one]))
