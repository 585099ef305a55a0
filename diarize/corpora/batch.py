"""What a model is trained on, a piece at a time, and who hands the pieces out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Some inputs, and what is known of each.

    Attributes:
        inputs: as the model takes them; the first axis is the datum.
        labels: the class of each datum from 0, or None where the model may not know it.
        patterns: of mixtures, which streams are on (1) and which are not (0); a row of -1 where
            that is not to be known, None where it never is.
    """

    inputs: Float[Tensor, "batch ..."]
    labels: Int[Tensor, " batch"] | None = None
    patterns: Int[Tensor, "batch *frame stream"] | None = None

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, kw_only=True)
class Scenes(Batch):
    """Windows of recordings, and the people who may talk there. Frames are of 16.875 ms.

    `inputs` are features of a speaker network before pooling, (batch, frame, channel); `patterns`
    say who talks in which frame, (batch, frame, speaker), with -1 in all of a frame of which that
    is not to be known. The number of frames is even.

    Attributes:
        context: the last hidden layer of the segmentation network.
        mel: natural log of the power in mel bands.
        typical: its mean over the speech of the whole recording.
        activity: P(anyone talks), P(two talk), as the segmentation has it.
        profile: the voice of each speaker, of unit length; zeros where there is none.
        heard_s: seconds of speech that each profile rests on.
        similarity: cosine of each profile with the voice heard around each frame, at three sizes.
        local: how much the segmentation's windows say that each speaker talks, 0 to 1.
        is_there: which speakers there are; the others fill up the batch.
        is_frame: which frames there are.
        pause_s: pauses of one speaker that are shorter than this count as speech.
        places: the voice of each speaker in two places of the recording that share no speech; zeros
            where there are not two such. None where none were looked for, like the next two.
        places_s: seconds of speech that each of these rests on.
        owner: a number for each speaker of each recording, -1 for those without two places. Two
            casts of one recording have the same for the same speaker.
    """

    context: Float[Tensor, "batch frame hidden"]
    mel: Float[Tensor, "batch frame band"]
    typical: Float[Tensor, "batch band"]
    activity: Float[Tensor, "batch frame 2"]
    profile: Float[Tensor, "batch speaker dimension"]
    heard_s: Float[Tensor, "batch speaker"]
    similarity: Float[Tensor, "batch frame speaker 3"]
    local: Float[Tensor, "batch frame speaker"]
    is_there: Bool[Tensor, "batch speaker"]
    is_frame: Bool[Tensor, "batch frame"]
    pause_s: Float[Tensor, " batch"]
    places: Float[Tensor, "batch speaker 2 dimension"] | None = None
    places_s: Float[Tensor, "batch speaker 2"] | None = None
    owner: Int[Tensor, "batch speaker"] | None = None

    def to(self, device: torch.device) -> Scenes:
        """The same on another device."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        there = {name: one.to(device) for name, one in tensors.items() if one is not None}
        return replace(self, **there)


@dataclass(frozen=True, kw_only=True)
class Songs(Batch):
    """Windows of music, and what each class of instruments plays in them.

    `inputs` are the mixtures, (batch, 1, time), full scale 1: the exact sum of the stems.

    Attributes:
        stems: in the order of `corpora.instruments.SOURCES`, or as the settings of the supply name
            them; a class that does not play is all zeros.
    """

    stems: Float[Tensor, "batch source time"]

    def to(self, device: torch.device) -> Songs:
        """The same on another device."""
        return replace(self, inputs=self.inputs.to(device), stems=self.stems.to(device))


@dataclass(frozen=True, kw_only=True)
class Views(Batch):
    """Data seen from several sides: images of one digit on several grounds, an image and its text.

    `inputs` are the views of a datum one after the other, each flattened, (batch, value); which
    values are of which view, a model's settings say.

    Attributes:
        present: which views of a datum are there; values of the others count for nothing. None
            where all are.
        truths: what the views show, for scores alone, -1 where that is not known: a column for what
            all views share, or one a view for what is its own, as the supply says.
    """

    present: Bool[Tensor, "batch view"] | None = None
    truths: Int[Tensor, "batch column"] | None = None


@runtime_checkable
class Supply(Protocol):
    """Hands out the batches of every phase of a training.

    The batches of an epoch depend on the seed, the phase, and the epoch's number, and on nothing
    that was drawn before: a training that was killed goes on with the batches it had not seen.
    """

    def n_batches(self, phase: str) -> int:
        """How many batches an epoch of `phase` has."""
        ...

    def epoch(self, phase: str, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `epoch` (from 0) of `phase`, from number `start` on."""
        ...
