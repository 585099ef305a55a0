"""What is made of each moment: by itself, and with each speaker in mind.

Two frames are one step (33.75 ms): the recurrent layers go by steps, what is said is of frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from diarize.corpora.batch import Scenes
from diarize.models.msvae.speech.config import SpeechSettings

SCALE = 4.0  # by which log odds are divided to be of the size of other inputs
ABSENT = -30.0  # log odds of a speaker who only fills up a batch


@dataclass(frozen=True)
class Proposal:
    """What the network thinks of each moment before any stream is asked.

    Attributes:
        speaker: log odds of each speaker to talk, not knowing how many do.
        count: log weight of nobody, one, two ... talking.
        moment: hidden state of each step.
        voice: hidden state of each step with each speaker in mind.
        character: what was made of each profile.
    """

    speaker: Float[Tensor, "batch frame speaker"]
    count: Float[Tensor, "batch frame number"]
    moment: Float[Tensor, "batch step trunk"]
    voice: Float[Tensor, "batch step speaker memory"]
    character: Float[Tensor, "batch speaker character"]


class Listener(nn.Module):
    """A trunk for the moment, then two recurrent layers for each speaker who may talk.

    All speakers share all weights. After the first recurrent layer each hears of the others by
    their mean and their greatest, so that any number of them may come in any order.
    """

    def __init__(self, settings: SpeechSettings) -> None:
        super().__init__()
        trunk, width, memory = settings.trunk_width, settings.speaker_width, settings.memory
        self.dropout, self.deaf = settings.dropout, settings.deaf
        self.channels = nn.Sequential(
            nn.LayerNorm(settings.n_channels), nn.Linear(settings.n_channels, width)
        )
        if settings.n_hidden:
            self.hidden = nn.Sequential(
                nn.LayerNorm(2 * settings.n_hidden), nn.Linear(2 * settings.n_hidden, width)
            )
        self.spectrum = nn.Linear(3 * settings.n_mels, width * 2 // 3)
        n_heard = width * (2 if settings.n_hidden else 1) + width * 2 // 3 + 9
        self.hears_context = bool(settings.n_hidden)
        self.join = nn.Sequential(nn.Linear(n_heard, trunk), nn.ReLU())
        self.over_time = nn.GRU(trunk, trunk // 2, batch_first=True, bidirectional=True)
        self.character = nn.Sequential(
            nn.Linear(settings.n_dimensions + 2, settings.profile_width), nn.ReLU()
        )
        self.modulation = nn.Linear(settings.profile_width, 2 * width)
        self.narrow = nn.Linear(2 * trunk, width)
        self.evidence = nn.Linear(15, width // 2)
        self.both = nn.Linear(width + width // 2, width)
        self.first = nn.GRU(width, memory, batch_first=True, bidirectional=True)
        self.others = nn.Linear(6 * memory, width)
        self.second = nn.GRU(width, memory, batch_first=True, bidirectional=True)
        self.speaker = nn.Linear(2 * memory, 2)
        numbers = settings.most_together + 1
        self.count = nn.Sequential(
            nn.Linear(trunk + 4 * memory, 64), nn.ReLU(), nn.Linear(64, 2 * numbers)
        )

    def forward(
        self,
        scenes: Scenes,
        generator: torch.Generator | None = None,
        *,
        by_spectrum: bool = False,
    ) -> Proposal:
        """What is thought of each moment of `scenes`.

        In training, `generator` draws what is left out: hidden units, and of some scenes all that
        one of the networks, or the spectrum, says. With `by_spectrum` the spectrum alone is heard
        of the sound, for all scenes, as nothing else is known of one that a decoder made.
        """
        generator = generator if self.training else None
        moment, over_time = self._moment(scenes, generator, by_spectrum)
        rival = closest_rival(scenes)
        character = self.voice_code(scenes)
        gain, shift = self.modulation(character)[:, None].chunk(2, 3)
        tuned = torch.relu(self.narrow(moment)[:, :, None] * (1 + gain) + shift)
        evidence = torch.relu(self.evidence(self._evidence(scenes, rival)))
        each = torch.relu(self.both(torch.cat([tuned, evidence], 3)))
        there = scenes.is_there[:, None, :, None]
        n_steps = step_counts(scenes)
        each = _each(self.first, each, n_steps)
        mean, greatest = _of_all(each, there)
        spread = [one[:, :, None].expand_as(each) for one in (mean, greatest)]
        voice = _each(self.second, torch.relu(self.others(torch.cat([each, *spread], 3))), n_steps)
        odds = torch.where(there, self.speaker(voice), ABSENT).transpose(2, 3).flatten(1, 2)
        count = self.count(torch.cat([over_time, *_of_all(voice, there)], 2))
        return Proposal(odds, _frames(count), over_time, voice, character)

    def voice_code(self, scenes: Scenes) -> Float[Tensor, "batch speaker character"]:
        """What is made of each profile: the code of a voice, that streams are told."""
        rival = closest_rival(scenes)
        told = torch.cat([8 * scenes.profile, _log_s(scenes)[..., None], rival[..., None]], 2)
        code: Tensor = self.character(told)
        return code

    def _moment(
        self, scenes: Scenes, generator: torch.Generator | None, by_spectrum: bool
    ) -> tuple[Tensor, Tensor]:
        """Each step by itself and in its time, and the latter alone."""
        sure = scenes.activity.clamp(1e-4, 1 - 1e-4)
        level = scenes.typical.mean(1)[:, None, None]
        mel = (scenes.mel - level) / 2
        shape = (scenes.typical - level[:, 0])[:, None] / 2
        heard = [
            self.channels(_mean(scenes.inputs)),
            self.spectrum(torch.cat([_steps(mel), _mean(mel) - shape], 2)),
        ]
        if self.hears_context:
            heard.append(self.hidden(_steps(scenes.context)))
        if by_spectrum:
            heard = [one if place == 1 else 0 * one for place, one in enumerate(heard)]
        if generator is not None:
            heard = [_left_out(one, (1, 1), self.deaf, generator) for one in heard]
        heard += [_steps(sure.logit()) / SCALE, _steps(sure)]
        pause = _convention(scenes)[:, None, None].expand(-1, heard[0].shape[1], 1)
        joined = self.join(torch.cat([*heard, pause], 2))
        if generator is not None:
            joined = _left_out(joined, joined.shape[1:], self.dropout, generator)
        over_time = _followed(self.over_time, joined, step_counts(scenes))
        return torch.cat([joined, over_time], 2), over_time

    def _evidence(
        self, scenes: Scenes, rival: Float[Tensor, "batch speaker"]
    ) -> Float[Tensor, "batch step speaker 15"]:
        """What there is for each speaker: how alike, more so than others, and in the windows."""
        there = scenes.is_there[:, None, :, None]
        similarity = torch.where(there, _mean(scenes.similarity), -1.0)
        pairs = scenes.local.unflatten(1, (-1, 2)).transpose(2, 3)
        local = torch.where(there, pairs, 0.0)
        whole = similarity[..., :1]
        constant = (_log_s(scenes) / 3, _convention(scenes)[:, None].expand_as(rival), 2 * rival)
        return torch.cat(
            [
                2 * similarity,
                2 * (similarity - greatest_other(similarity)),
                local,
                local.clamp(1e-3, 1 - 1e-3).logit() / SCALE,
                greatest_other(local).clamp_min(0),  # alone, or among those who are not there
                *(one[:, None, :, None].expand_as(whole) for one in constant),
            ],
            3,
        )


def closest_rival(scenes: Scenes) -> Float[Tensor, "batch speaker"]:
    """The greatest cosine of each profile with one that rests on more speech, at least 0.

    A profile that is much like a greater one is, as a rule, of the same person.
    """
    alike = scenes.profile @ scenes.profile.transpose(1, 2)
    is_greater = scenes.heard_s[:, None, :] > scenes.heard_s[:, :, None]
    is_greater = is_greater & scenes.is_there[:, None, :]
    return torch.where(is_greater, alike, 0.0).amax(2).clamp_min(0)


def greatest_other(
    values: Float[Tensor, "batch step speaker kind"],
) -> Float[Tensor, "batch step speaker kind"]:
    """For each speaker the greatest value among the others; -1 where there are none.

    >>> greatest_other(torch.tensor([[[[1.0], [3.0], [2.0]]]])).flatten().tolist()
    [3.0, 2.0, 3.0]
    """
    if values.shape[2] == 1:
        return torch.full_like(values, -1.0)
    top, place = values.topk(2, dim=2)
    me = torch.arange(values.shape[2], device=values.device)[:, None]
    return torch.where(place[:, :, :1] == me, top[:, :, 1:], top[:, :, :1])


def _left_out(
    values: Tensor, shape: Sequence[int], share: float, generator: torch.Generator
) -> Tensor:
    """Values with a share of them at zero, drawn in `shape` for each scene; the rest are raised."""
    if not share:
        return values
    drawn = torch.rand((len(values), *shape), generator=generator, device=generator.device)
    return values * (drawn.to(values) >= share) / (1 - share)


def _of_all(voice: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the greatest over the speakers there are."""
    mean = torch.where(there, voice, 0.0).sum(2) / there.sum(2).clamp_min(1)
    return mean, torch.where(there, voice, -1.0).amax(2)


def step_counts(scenes: Scenes) -> Int[Tensor, " batch"]:
    """How many steps of each scene there are; what follows them only fills up the batch."""
    return scenes.is_frame.unflatten(1, (-1, 2)).any(2).sum(1)


def _followed(layer: nn.GRU, rows: Tensor, n_steps: Tensor) -> Tensor:
    """A recurrent layer over the steps there are, both ways; zeros after them."""
    longest = rows.shape[1]
    if bool((n_steps == longest).all()):
        return layer(rows)[0]
    lengths = n_steps.clamp_min(1).cpu()
    packed = pack_padded_sequence(rows, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=longest)[0]


def _each(layer: nn.GRU, inputs: Tensor, n_steps: Tensor) -> Tensor:
    """A recurrent layer over time, for each speaker by himself."""
    n_batch, longest, n_speakers = inputs.shape[:3]
    rows = inputs.transpose(1, 2).reshape(n_batch * n_speakers, longest, -1)
    followed = _followed(layer, rows, n_steps.repeat_interleave(n_speakers))
    return followed.reshape(n_batch, n_speakers, longest, -1).transpose(1, 2)


def _log_s(scenes: Scenes) -> Tensor:
    return scenes.heard_s.clamp_min(0.2).log() * scenes.is_there


def _convention(scenes: Scenes) -> Tensor:
    """0 for pauses of 0.2 s, 1 for 2 s, by the logarithm between."""
    return ((scenes.pause_s.clamp_min(0.05) / 0.2).log() / math.log(10)).clamp(0, 1)


def _steps(values: Tensor) -> Tensor:
    """Two frames side by side."""
    return values.unflatten(1, (-1, 2)).flatten(2)


def _mean(values: Tensor) -> Tensor:
    """The mean of two frames."""
    return values.unflatten(1, (-1, 2)).mean(2)


def _frames(values: Tensor) -> Tensor:
    """Two frames out of each step."""
    return values.unflatten(2, (2, -1)).flatten(1, 2)
