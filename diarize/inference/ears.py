"""The networks that listen, and what they are spared: what a store says they heard before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from diarize.errors import BadFile
from diarize.features.segmentation import RATE_HZ, LocalActivity, Segmentation, segment
from diarize.features.speaker import SpeakerNetwork
from diarize.features.store import FeatureStore, code_digest, digest_of, key_of, sound_digest
from diarize.inference.hearing import Heard, hear_more
from diarize.inference.hearing_arrays import (
    arrays_of_heard,
    arrays_of_local,
    arrays_of_voices,
    heard_of,
    local_of,
    voices_of,
)
from diarize.inference.voices import Voices, hear_voices

WINDOWS, VOICES, HEARD = "windows", "voices", "heard"  # kinds of features
CODE = {  # what each kind comes of
    WINDOWS: ("diarize.features.segmentation",),
    VOICES: (
        *("diarize.features.speaker", "diarize.features.campplus", "diarize.features.ecapa"),
        *("diarize.features.mel", "diarize.inference.voices"),
    ),
}
CODE[HEARD] = (*CODE[VOICES], "diarize.inference.hearing", "diarize.inference.stitch")
STEPS = {WINDOWS: "segmentation", VOICES: "voices", HEARD: "voices"}  # of what is told of progress
Progress = Callable[[str, float], None]
Found = TypeVar("Found")


class Ears:
    """Both networks, loaded, and the store in use, if any; may be used by several threads."""

    def __init__(
        self, segmentation: Segmentation, speaker: SpeakerNetwork, store: FeatureStore | None = None
    ) -> None:
        self.segmentation = segmentation
        self.speaker = speaker
        self.store = store
        self.of_windows = self.of_voices = ""
        if store is not None:
            self.of_windows = network_digest(segmentation)
            self.of_voices = network_digest(speaker)

    def listen(
        self,
        samples: Float[np.ndarray, " time"],
        progress: Progress | None = None,
        recording: str = "",
    ) -> Listening:
        """One recording at 16 kHz, to be heard as far as is asked for."""
        return Listening(self, samples, progress or (lambda step, share: None), recording)


class Listening:
    """One recording, heard as far as is asked for.

    A feature that the store has is read, any other is made and kept there. What is read is, to the
    bit, what was heard. `notes` says where the store could not do its part.
    """

    def __init__(
        self, ears: Ears, samples: Float[np.ndarray, " time"], tell: Progress, recording: str
    ) -> None:
        self.ears = ears
        self.samples = samples
        self.tell = tell
        self.notes: tuple[str, ...] = ()
        self.about = {
            "recording": recording,
            "duration_s": f"{len(samples) / RATE_HZ:.3f}",
            "torch": torch.__version__,
        }
        self.sound = sound_digest(samples, RATE_HZ) if ears.store is not None else ""

    def windows(self, hop_frames: int, keep_context: bool = False) -> LocalActivity:
        """Who talks in each window, as `features.segmentation.segment` says."""

        def make() -> LocalActivity:
            network, said = self.ears.segmentation, self._teller(WINDOWS)
            return segment(network, self.samples, hop_frames, said, keep_context)

        def read(arrays: Mapping[str, np.ndarray]) -> LocalActivity | None:
            if keep_context and "context" not in arrays:
                return None
            return local_of(arrays, keep_context)

        key = self._key(WINDOWS, self.ears.of_windows, hop_frames=str(hop_frames))
        return self._had(WINDOWS, key, read, make, arrays_of_local)

    def voices(self, local: LocalActivity, speech: Float[np.ndarray, " frame"]) -> Voices:
        """The voices in it, as `inference.voices.hear_voices` says of these windows and speech."""

        def make() -> Voices:
            said = self._teller(VOICES)
            return hear_voices(self.ears.speaker, self.samples, local, speech, said)

        told = digest_of(local.posterior, local.first_frame, speech)
        key = self._key(VOICES, self.ears.of_voices, told=told)
        return self._had(VOICES, key, voices_of, make, arrays_of_voices)

    def heard(self, hop_frames: int = 148, keep_context: bool = True) -> Heard:
        """All that an attributor hears, as `inference.hearing.hear` says."""
        local = self.windows(hop_frames, keep_context)

        def make() -> Heard:
            return hear_more(self.samples, local, self.ears.speaker, self._teller(VOICES))

        def read(arrays: Mapping[str, np.ndarray]) -> Heard:
            return heard_of(arrays, local)

        told = digest_of(local.posterior, local.speech, local.overlap, local.first_frame)
        key = self._key(HEARD, self.ears.of_voices, told=told)
        return self._had(HEARD, key, read, make, arrays_of_heard)

    def _teller(self, kind: str) -> Callable[[float], None]:
        return lambda share: self.tell(STEPS[kind], share)

    def _key(self, kind: str, network: str, **told: str) -> str:
        if self.ears.store is None:
            return ""
        code = code_digest(CODE[kind])
        return key_of(sound=self.sound, network=network, code=code, **told)

    def _had(
        self,
        kind: str,
        key: str,
        read: Callable[[Mapping[str, np.ndarray]], Found | None],
        make: Callable[[], Found],
        arrays_of: Callable[[Found], Mapping[str, np.ndarray]],
    ) -> Found:
        """What the store has, or else what is made now, and kept."""
        store = self.ears.store
        if store is None:
            return make()
        try:
            stored = store.read(kind, key)
            found = read(stored.arrays) if stored is not None else None
        except BadFile as error:
            found = None
            self.notes += (f"heard anew: {error}",)
        if found is not None:
            self.tell(STEPS[kind], 1.0)
            return found
        made = make()
        try:
            store.write(kind, key, arrays_of(made), self.about)
        except BadFile as error:
            self.notes += (f"not kept for the next time: {error}",)
        return made


def network_digest(network: object) -> str:
    """What tells a network from any other: its kind, its trained weights, where it computes.

    What was computed on a GPU is kept apart: it rounds otherwise, and a store changes nothing.
    """
    parts = {"": network, **vars(network)}
    modules = {name: one for name, one in parts.items() if isinstance(one, nn.Module)}
    told, tensors = [type(network).__qualname__], []
    for name, module in sorted(modules.items()):
        for place, tensor in sorted(module.state_dict().items()):
            told.append(f"{name}.{place} {tensor.device.type}")
            tensors.append(tensor.detach().cpu().numpy())
    return key_of(names=" ".join(told), weights=digest_of(*tensors))
