"""Who is probably talking, frame by frame: what models give, files keep and scores read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Activity:
    """Probability that each speaker is talking, frame by frame.

    Frame `i` covers the time from `start_s + i * hop_s` to `start_s + (i + 1) * hop_s`, so that
    frames tile the recording; `posterior` lies in [0, 1] and its columns need not sum to one,
    because several people may talk at once.

    Raises:
        ValueError: the rows are not as many as the speakers.
    """

    posterior: Float[np.ndarray, "speaker frame"]
    hop_s: float
    speakers: tuple[str, ...]
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if len(self.speakers) != len(self.posterior):
            raise ValueError(
                f"Activity: {len(self.posterior)} rows of posterior for "
                f"{len(self.speakers)} speakers; there is one row a speaker"
            )

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return int(self.posterior.shape[1])
