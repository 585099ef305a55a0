"""Windows of music as codes, for models that are trained on codes made beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from diarize.corpora.batch import Batch


@dataclass(frozen=True, kw_only=True)
class CodeWindows(Batch):
    """Windows of music as codes.

    `inputs` are the codes, (batch, slot, frame): a row for each code of a frame.

    Attributes:
        codec: of each, the name of the codec that made it, which is a number of twelve hexadecimal
            digits; no other codec can read it.
    """

    codec: Int[Tensor, " batch"]
