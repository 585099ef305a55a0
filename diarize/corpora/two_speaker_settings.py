"""The `[data]` table of a conf whose corpus is conversations of two known speakers."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from diarize.config import at_least, at_most
from diarize.errors import BadCall
from diarize.features.chunks import ChunkSettings

PARTS = ("test", "dev", "train")
ON_THE_FLY = frozenset(  # the settings that change nothing of what is made
    (
        *("chunks", "labelled_share", "silence", "known_share", "known_by_count"),
        *("gain_spread_db", "expert_batch", "mixture_batch"),
    )
)


@dataclass(frozen=True)
class TwoSpeakerSettings:
    """Who speaks, how much of it there is, and what a training may know of it.

    `speech` is a folder with a `speakers.tsv` that has both `speakers`; or `channels` are
    recordings with the first speaker in the first channel and the second in the second, of which
    the first `duration_s` are tested on, the next half of that serves to choose settings.

    Of each speaker's utterances, by time, `test_share` is for the `n_test` test conversations,
    `dev_share` for `n_dev` to choose settings on, the rest for `n_train`, each `duration_s` long.
    Levels differ by a normal distribution of `level_spread_db` a speaker and conversation; each
    channel has pink noise `snr_db` under a usual level. `overlap` is the share of time with
    speech in which both talk.

    Batches of experts are of chunks in which one speaker talks alone, in the first
    `labelled_share` of such time; not a random share of chunks as in the paper, for chunks
    overlap, and a random tenth would show more than a tenth. Mixtures are chunks of the training
    conversations, of which nobody says who talks. `silence` "oracle" puts Laplace noise in place
    of chunks with nobody talking at their middle, as the paper does; "heard" leaves them.

    A share `known_share` of each batch of mixtures is made anew of labelled sound: nobody, one
    speaker, or both, by the chances `known_by_count`, at levels that differ by
    `gain_spread_db`, and the model may know which.
    """

    corpus: Literal["two_speakers"] = "two_speakers"
    speech: Path | None = None
    channels: tuple[Path, ...] = ()
    speakers: tuple[str, str] = ("speaker1", "speaker2")
    seed: int = 42
    n_train: int = 8
    n_dev: int = 6
    n_test: int = 24
    duration_s: float = 120.0
    test_share: float = 0.3
    dev_share: float = 0.15
    overlap: float = 0.1
    level_spread_db: float = 2.0
    snr_db: float = 30.0
    chunks: ChunkSettings = field(default_factory=ChunkSettings)
    labelled_share: float = 1.0
    silence: Literal["oracle", "heard"] = "oracle"
    known_share: float = 0.0
    known_by_count: tuple[float, float, float] = (0.1, 0.5, 0.4)
    gain_spread_db: float = 3.0
    expert_batch: int = 18
    mixture_batch: int = 64

    def __post_init__(self) -> None:
        if self.speakers[0] == self.speakers[1]:
            raise BadCall(f"speakers = {list(self.speakers)}; expected two different names")
        at_least(self, n_train=1, n_dev=1, n_test=1, mixture_batch=1)
        if self.expert_batch < 2 or self.expert_batch % 2:
            raise BadCall(
                f"expert_batch = {self.expert_batch}; expected 2, 4, 6 ...: half a stream"
            )
        if self.duration_s < 10:
            raise BadCall(f"duration_s = {self.duration_s}; expected 10 s or more")
        at_most(self, test_share=1, dev_share=1, labelled_share=1, known_share=1, overlap=1)
        if self.test_share + self.dev_share >= 1 or not self.labelled_share:
            raise BadCall("test_share and dev_share, or labelled_share, leave nothing to train on")
        if abs(sum(self.known_by_count) - 1) > 1e-6 or min(self.known_by_count) < 0:
            raise BadCall(
                f"known_by_count = {list(self.known_by_count)}; expected chances that add up to 1"
            )

    def count_of(self, part: str) -> int:
        """How many conversations a part has."""
        return int(getattr(self, f"n_{part}"))

    def share_of(self, part: str) -> float:
        """How much of each speaker's utterances a part has, at least."""
        return 1.0 if part == "train" else float(getattr(self, f"{part}_share"))

    def made(self) -> dict[str, Any]:
        """The settings that the conversations hang on, as JSON has them."""
        all_of_them = dataclasses.asdict(self)
        kept = {name: value for name, value in all_of_them.items() if name not in ON_THE_FLY}
        plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
        return plain
