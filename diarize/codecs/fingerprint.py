"""What tells one codec from another: latents of one are nothing to the next."""

from __future__ import annotations

import hashlib
from typing import Any

from torch import nn

from diarize.codecs.contract import Codec


def fingerprint(codec: Codec) -> str:
    """Twelve hexadecimal digits that hang on what a codec is, and on each of its weights.

    Weights are told apart in the precision they have: packed in half precision, they count as
    others.

    >>> from diarize.codecs.stft import STFTCodec
    >>> fingerprint(STFTCodec(512)) == fingerprint(STFTCodec(512)), len(fingerprint(STFTCodec(512)))
    (True, 12)
    >>> fingerprint(STFTCodec(512)) == fingerprint(STFTCodec(1024))
    False
    """
    facts = (
        type(codec).__name__,
        codec.rate_hz,
        codec.n_channels,
        codec.frame_rate_hz,
        codec.n_latents,
        codec.bits_per_s,
    )
    found = hashlib.sha256(repr(facts).encode())
    inner: Any = codec if isinstance(codec, nn.Module) else getattr(codec, "model", None)
    if isinstance(inner, nn.Module):
        for name, tensor in sorted(inner.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]
