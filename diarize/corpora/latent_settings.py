"""The `[data.latents]` table of a conf whose windows are latents of a codec, made beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diarize.config import at_least
from diarize.errors import BadCall

LINEAR = ("rvq", "stft")  # codecs that make of louder sound the same latents, as much larger


@dataclass(frozen=True)
class Latents:
    """Which codec makes the latents of corpus "latents", and how they are kept.

    Attributes:
        codec: by its name in `codecs`, as in the [model] table; empty: none, corpus "stems".
        codec_weights: the file of its weights; empty: those that it finds.
        n_fft: of codec "stft", samples to a frame.
        level: "as_is": sound is encoded as loud as it is; "song": each mixture is divided by the
            root mean square of all of it before. For models that have windows at one loudness
            (`view.normalised`) and codecs whose latents cannot be made louder afterwards.
        precision: of the numbers on disk.
        piece_s: seconds that are encoded at a time, so that long songs take no more memory.
        context_s: seconds before and after a piece that the codec hears with it.
        parts: of what was prepared, those that are encoded, as far as they are there.
    """

    codec: str = ""
    codec_weights: str = ""
    n_fft: int = 2048
    level: Literal["as_is", "song"] = "as_is"
    precision: Literal["float16", "float32"] = "float16"
    piece_s: float = 20.0
    context_s: float = 2.0
    parts: tuple[str, ...] = ("train", "validation")

    def __post_init__(self) -> None:
        at_least(self, piece_s=1, context_s=0)
        if self.level == "song" and self.codec in LINEAR:
            raise BadCall(
                f"level = 'song' of codec {self.codec!r}; expected 'as_is': its latents "
                "are divided by the loudness of each window when they are read"
            )

    @property
    def folder(self) -> str:
        """What the folder of these latents is called."""
        return f"{self.codec}{self.n_fft}" if self.codec == "stft" else self.codec
