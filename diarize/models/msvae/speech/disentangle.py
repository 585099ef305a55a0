"""What keeps who talks and what is said apart: CrossMI and GenAug between the streams.

IDMVAE sees a datum in M views, with latents z that all share and w_m of each view alone. Here the
datum is a speaker of a conversation, and his views are places in it where he talks:

    z     the code of his voice (`Listener.voice_code`), that stream and decoder are told:
          a function of the profile, so that q(z | view) is a point, its own mean
    w_m   the stream's latents z_k(t) in that place: what is said there, and how

- CrossMI (`across_places`; the paper's L_CrossMI): the codes of one speaker by two places that
  share no speech are to find one another among those of all other speakers of the batch.
- GenAug (`swapped`; the paper's L_GenAug): the voices of a scene are handed on from each stream to
  the next. Each stream's latents are decoded with another's code, the streams that are on are added
  up, and the sum is heard and encoded again, by its spectrum alone. What was said must be found
  again: the means of w before and after, by contrast over steps (w kept, z swapped). So must the
  voice (z kept, w swapped).

Where this is not the paper's: no network here tells a code from a sound, so the voice after has no
mean to be compared with. Instead the contrast is over who of the scene's voices is heard: the
cross-entropy, where one talks alone, of the proposal's log odds, which are the critic of the
contrast (InfoNCE, arXiv 1807.03748, equation 4). Voices are swapped within a scene, not within a
batch, and a speaker always has two views.

Source: arXiv 2509.23548 and its code, by way of `diarize/models/idmvae`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from diarize.corpora.batch import Scenes
from diarize.errors import BadCall
from diarize.layers.contrast import contrast
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.network import Listener
from diarize.models.msvae.speech.streams import Explanation, Streams

MOST_STEPS = 256  # of a batch, that are to be found again among one another


def disentangling(
    settings: SpeechSettings,
    listener: Listener,
    streams: Streams,
    scenes: Scenes,
    explanation: Explanation,
) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
    """The terms of `settings` that have a weight, weighed and added up, and each by its name.

    None where none has.

    Raises:
        BadCall: `cross_weight` is above 0, and the scenes have no places.
    """
    total, parts = None, {}
    if settings.cross_weight:
        found = across_places(listener, scenes, settings.temperature)
        total, parts["cross_mi"] = settings.cross_weight * found, found.detach()
    if settings.augment_weight:
        content, voice = swapped(listener, streams, scenes, explanation, settings.temperature)
        parts |= {"content_again": content.detach(), "voice_again": voice.detach()}
        added = settings.augment_weight * (content + voice) / 2
        total = added if total is None else total + added
    return total, parts


def across_places(listener: Listener, scenes: Scenes, temperature: float) -> Float[Tensor, ""]:
    """CrossMI: the contrast of codes of each voice by two places of its recording, in nats.

    Speakers of one recording that was drawn twice are no rivals of themselves; 0 where there are
    fewer than two speakers.

    Raises:
        BadCall: the scenes have no places.
    """
    if scenes.places is None or scenes.places_s is None or scenes.owner is None:
        raise BadCall(
            "cross_weight above 0 on scenes without places; expected [data] places = true"
        )
    known = scenes.owner >= 0
    first, second = (
        listener.voice_code(
            replace(
                scenes,
                profile=scenes.places[:, :, place],
                heard_s=scenes.places_s[:, :, place],
                is_there=known,
            )
        )[known]
        for place in (0, 1)
    )
    owner = scenes.owner[known]
    if len(owner.unique()) < 2:
        return (first.sum() + second.sum()) * 0
    return contrast(first, second, temperature, owner)


def swapped(
    listener: Listener,
    streams: Streams,
    scenes: Scenes,
    explanation: Explanation,
    temperature: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """GenAug: what was said, and whose voice it is, found again after voices were handed on.

    Both in nats, a mean over the steps that count: for the former up to `MOST_STEPS` in which a
    speaker talks, for the latter those in which one of several who talk in the scene does alone.
    Where there are none, 0. Steps of which the pattern is not known have the background alone.
    """
    share = talking_share(scenes)
    talks = (share > 0).any(1)
    order = handed_on(talks)
    voices = replace(
        scenes,
        profile=scenes.profile.gather(1, order[..., None].expand_as(scenes.profile)),
        heard_s=scenes.heard_s.gather(1, order),
    )
    alone = streams.decode(explanation.drawn, listener.voice_code(voices))
    power = torch.einsum("bts,btsf->btf", share, alone) + explanation.behind
    proposal = listener(_sounding(voices, power), by_spectrum=True)
    again, _ = streams.encode(proposal)
    is_full = (share == 1) & talks[:, None]
    rows = is_full.nonzero()
    if len(rows) > MOST_STEPS:
        rows = rows[torch.linspace(0, len(rows) - 1, MOST_STEPS, device=rows.device).long()]
    content = voice = again.sum() * 0
    if len(rows) > 1:
        place = tuple(rows.T)
        content = contrast(explanation.latents[place], again[place], temperature)
    is_alone = is_full.any(2) & (share.sum(2) == 1) & (talks.sum(1) > 1)[:, None]
    if bool(is_alone.any()):
        odds = proposal.speaker.unflatten(1, (-1, 2)).mean(2)
        odds = odds.masked_fill(~talks[:, None], -torch.inf)[is_alone]
        voice = functional.cross_entropy(odds, share[is_alone].argmax(1))
    return content, voice


def talking_share(scenes: Scenes) -> Float[Tensor, "batch step speaker"]:
    """Which share of the two frames of a step each speaker talks; 0 where that is not known."""
    if scenes.patterns is None:
        shape = (scenes.mel.shape[0], scenes.mel.shape[1] // 2, scenes.profile.shape[1])
        return scenes.mel.new_zeros(shape)
    is_known = (scenes.patterns >= 0).all(2) & scenes.is_frame
    talks = scenes.patterns * is_known[..., None] * scenes.is_there[:, None]
    return talks.to(scenes.mel).unflatten(1, (-1, 2)).mean(2)


def handed_on(talks: Bool[Tensor, "batch speaker"]) -> Int[Tensor, "batch speaker"]:
    """Whose voice each gets: of those who talk the next one's, the last the first's; others keep
    their own.

    >>> handed_on(torch.tensor([[True, False, True, True]])).tolist()
    [[2, 1, 3, 0]]
    """
    own = torch.arange(talks.shape[1], device=talks.device).expand(talks.shape)
    those = torch.where(talks, own, len(own[0]) + own).argsort(1)  # talkers first, in their order
    rank = talks.cumsum(1) - 1
    after = (rank + 1) % talks.sum(1, keepdim=True).clamp_min(1)
    return torch.where(talks, those.gather(1, after.clamp_min(0)), own)


def _sounding(scenes: Scenes, power: Float[Tensor, "batch step band"]) -> Scenes:
    """The scenes with a sound of this power, of which nothing but the spectrum is known: all who
    are there are as likely to be heard at each moment."""
    level = scenes.typical.mean(1)[:, None, None]
    bands = power.log() + level
    wide = bands.repeat_interleave(scenes.mel.shape[2] // bands.shape[2], 2)
    there = scenes.is_there[:, None].to(scenes.mel)
    n_there = there.sum(2, keepdim=True).clamp_min(1)
    local = (scenes.local * there).sum(2, keepdim=True) / n_there
    alike = (scenes.similarity * there[..., None]).sum(2, keepdim=True) / n_there[..., None]
    return replace(
        scenes,
        mel=wide.repeat_interleave(2, 1),
        local=local.expand_as(scenes.local),
        similarity=alike.expand_as(scenes.similarity),
    )
