"""The settings of an rqtransformer: the `[model]` table of a conf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from diarize.codecs.coarse import CoarseSettings
from diarize.config import at_least, at_most
from diarize.errors import BadCall


@dataclass(frozen=True)
class RQTransformerSettings:
    """The codec whose codes are told, the two transformers that tell them, and how they learn.

    Attributes:
        rate_hz: of all sound.
        n_frames: the most frames that are told together.
        codec: that makes stems into codes.
        width: numbers a frame in the transformer over time.
        n_blocks: of it.
        n_heads: of each block of it.
        depth_width: numbers a code in the transformer over the codes of a frame.
        n_depth_blocks: of it.
        n_depth_heads: of each block of it.
        depth_share: of the frames, those whose codes the loss looks at in a step of training.
        infill: of the windows in training, those whose middle is told last.
        any_stem_first: of the windows in training, those whose stems are told in any order.
        commitment: weight, in training the codec, of how far vectors are from their codes.
        training_precision: of the transformers; "bfloat16" is faster on most machines.
    """

    rate_hz: int = 22_050
    n_frames: int = 256
    codec: CoarseSettings = field(default_factory=CoarseSettings)
    width: int = 256
    n_blocks: int = 4
    n_heads: int = 4
    depth_width: int = 128
    n_depth_blocks: int = 2
    n_depth_heads: int = 4
    depth_share: float = 0.25
    infill: float = 0.5
    any_stem_first: float = 0.5
    commitment: float = 0.25
    training_precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        at_least(self, n_frames=2, n_blocks=1, n_depth_blocks=1)
        at_most(self, infill=1, any_stem_first=1)
        if not 0 < self.depth_share <= 1:
            raise BadCall(f"depth_share = {self.depth_share}; above 0 and at most 1 would be right")
