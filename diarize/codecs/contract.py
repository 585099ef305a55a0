"""What every codec promises: sound to numbers a frame, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from diarize.errors import BadCall


@dataclass(frozen=True)
class Encoded:
    """Sound as a codec has it.

    Attributes:
        latents: continuous numbers a frame. What a codec divided them by is in `scale`.
        codes: the number of each code a frame; None from a codec without codes.
        scale: what belongs beside the latents to make them sound, (batch, ...); None if nothing.
            Codes need none, unless the codec says so.
        n_samples: of the sound, a channel.
    """

    latents: Float[Tensor, "batch latent frame"]
    codes: Int[Tensor, "batch code frame"] | None
    scale: Float[Tensor, "batch ..."] | None
    n_samples: int


def check_channels(audio: Float[Tensor, "batch channel time"], wanted: int, name: str) -> None:
    """See that sound has as many channels as a codec takes.

    Raises:
        BadCall: it has not.
    """
    if audio.shape[1] != wanted:
        found = tuple(audio.shape)
        raise BadCall(f"sound of shape {found}; {name} takes (batch, channel, time) with {wanted}")


@runtime_checkable
class Codec(Protocol):
    """Sound at `rate_hz` with `n_channels` as `n_latents` numbers a frame, `frame_rate_hz` frames.

    `n_codes` codes a frame say the same more coarsely, `bits` a second in all; 0 if there are none.
    """

    rate_hz: int
    n_channels: int
    frame_rate_hz: float
    n_latents: int
    n_codes: int
    bits_per_s: float

    def encode(self, audio: Float[Tensor, "batch channel time"]) -> Encoded:
        """The sound as latents, and as codes where the codec has some."""
        ...

    def decode(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the latents."""
        ...

    def decode_codes(self, encoded: Encoded) -> Float[Tensor, "batch channel time"]:
        """The sound of the codes.

        Raises:
            BadCall: the codec has none.
        """
        ...
