"""What a diarizer finds: who spoke when in one recording, and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from pyannote.core import Annotation, Segment, Timeline

from diarize.formats.exports import Export, csv_text, json_text
from diarize.formats.rttm import rttm_text
from diarize.inference.review import Review, review
from diarize.models.contract import Activity


@dataclass(frozen=True)
class Speaker:
    """One person in the recording."""

    name: str
    speech_s: float
    embedding: Float[np.ndarray, " dimension"]  # of unit length


@dataclass(frozen=True)
class Diarization:
    """Who spoke when in one recording, and how sure that is."""

    recording: str
    duration_s: float
    annotation: Annotation
    posterior: Activity
    speakers: tuple[Speaker, ...]
    probability: Mapping[tuple[Segment, Hashable], float]  # of each turn of `annotation`
    notes: tuple[str, ...] = ()  # what was done to the audio before listening
    speaker_counts: Mapping[int, float] = field(default_factory=dict)  # probability of each number
    made_with: Mapping[str, Any] = field(default_factory=dict)

    def to_rttm(self) -> str:
        """The turns as RTTM, a line each."""
        return rttm_text(self.annotation, self.recording)

    def to_json(self, with_posterior: bool = True) -> str:
        """Turns with their probabilities, speakers, and (unless told not to) frame posteriors."""
        return json_text(self._export(with_posterior))

    def to_csv(self) -> str:
        """The turns as a table with a header."""
        return csv_text(self._export(with_posterior=False))

    def review(self, top: int | None = 20) -> Review:
        """The places most worth a listen; see `inference.review`."""
        return review(self.posterior, self.annotation, top=top)

    def within(self, regions: Timeline) -> Diarization:
        """The same, with only what lies in `regions`, as of a UEM file."""
        annotation = Annotation(uri=self.recording)
        probability: dict[tuple[Segment, Hashable], float] = {}
        for turn, track, label in self.annotation.itertracks(yield_label=True):
            for region in regions.support():
                part = turn & region
                if part:
                    annotation[part, label] = label
                    probability[part, label] = self.probability[turn, track]
        return replace(self, annotation=annotation, probability=probability)

    def _export(self, with_posterior: bool) -> Export:
        return Export(
            annotation=self.annotation,
            recording=self.recording,
            duration_s=self.duration_s,
            probability=self.probability,
            activity=self.posterior if with_posterior else None,
            made_with=self.made_with,
            speaker_counts=self.speaker_counts,
        )

    def _repr_png_(self) -> bytes:
        from diarize.viz.timeline import png, timeline

        return png(timeline(self.annotation, activity=self.posterior, duration_s=self.duration_s))

    def _repr_html_(self) -> str:
        from diarize.viz.notebook import card

        return card(self.annotation, self.recording, self.duration_s, self._repr_png_())
