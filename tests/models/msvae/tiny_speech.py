"""A speech MS-VAE small enough to do its sums by hand, and scenes of people who hum."""

from dataclasses import fields, replace

import torch
from torch.nn import functional

from diarize.corpora.batch import Scenes
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.model import SpeechMSVAE

TINY_TABLE = {
    "n_channels": 6,
    "n_hidden": 5,
    "n_mels": 8,
    "n_bands": 4,
    "n_dimensions": 7,
    "trunk_width": 8,
    "speaker_width": 6,
    "profile_width": 5,
    "memory": 4,
    "n_latents": 3,
    "n_background": 2,
    "background_steps": 3,
    "decoder_width": 6,
}
TINY = SpeechSettings(**TINY_TABLE)
OF_FRAMES = ("inputs", "context", "mel", "activity", "similarity", "local", "patterns", "is_frame")
OF_SPEAKERS = {
    "profile": 1,
    "heard_s": 1,
    "is_there": 1,
    "similarity": 2,
    "local": 2,
    "patterns": 2,
    "places": 1,
    "places_s": 1,
    "owner": 1,
}


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def made_speech(settings=TINY, seed=2, **changes):
    """A model in double precision and eval mode; no layer is dead, at zero or at its default."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SpeechMSVAE(replace(settings, **changes)).double()
    generator = chance(seed + 100)
    with torch.no_grad():
        for one in model.parameters():
            one += 0.2 * torch.randn(one.shape, generator=generator, dtype=one.dtype)
    return model.eval()


def scenes_of(n_scenes=2, n_frames=12, n_speakers=3, seed=1, settings=TINY, dtype=torch.float64):
    """People who each hum in bands of their own, now and then two or three at once, over noise."""
    generator = chance(seed)

    def noise(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    voices = functional.normalize(noise(n_scenes, n_speakers, settings.n_dimensions), dim=2)
    told = chance(77)  # how a voice sounds is the same in all scenes
    sounds, heard = (
        torch.randn(settings.n_dimensions, width, generator=told, dtype=torch.float64)
        for width in (settings.n_mels, settings.n_channels)
    )
    turns = noise(n_scenes, -(-n_frames // 4), n_speakers).repeat_interleave(4, 1)[:, :n_frames]
    talks = (turns > 0.3) & (turns.argsort(2).argsort(2) >= n_speakers - 3)
    on = talks.double()
    power = on @ (3 + 2 * voices @ sounds).exp() + 1
    number = on.sum(2)
    scenes = Scenes(
        inputs=on @ voices @ heard + 0.3 * noise(n_scenes, n_frames, settings.n_channels),
        patterns=talks.long(),
        context=noise(n_scenes, n_frames, settings.n_hidden),
        mel=power.log() - 4 + 0.3 * noise(n_scenes, n_frames, settings.n_mels),
        typical=power.log().mean(1) - 4,
        activity=torch.stack([(number > 0) * 0.8 + 0.1, (number > 1) * 0.6 + 0.1], 2),
        profile=voices,
        heard_s=noise(n_scenes, n_speakers).exp() * 4,
        similarity=0.5 * on[..., None] + 0.2 * noise(n_scenes, n_frames, n_speakers, 3),
        local=(0.7 * on + 0.2 * noise(n_scenes, n_frames, n_speakers)).clamp(0, 1),
        is_there=torch.ones(n_scenes, n_speakers, dtype=torch.bool),
        is_frame=torch.ones(n_scenes, n_frames, dtype=torch.bool),
        pause_s=torch.tensor([0.2, 0.5, 2.0], dtype=torch.float64).repeat(n_scenes)[:n_scenes],
    )
    return as_type(scenes, dtype)


def as_type(scenes, dtype):
    """The same with all real numbers in this precision."""
    values = {one.name: getattr(scenes, one.name) for one in fields(scenes)}
    real = {
        name: one.to(dtype)
        for name, one in values.items()
        if one is not None and one.is_floating_point()
    }
    return replace(scenes, **real)


def rows(scenes, chosen):
    """Some of the scenes."""
    values = {one.name: getattr(scenes, one.name) for one in fields(scenes)}
    return replace(scenes, **{name: v[chosen] for name, v in values.items() if v is not None})


def seated(scenes, order):
    """The same people in another order."""
    order = torch.as_tensor(order)
    return replace(
        scenes,
        **{
            name: getattr(scenes, name).index_select(axis, order)
            for name, axis in OF_SPEAKERS.items()
            if getattr(scenes, name) is not None
        },
    )


def with_nobodies(scenes, n_more, seed=9):
    """The same with people who are not there, of whom all that is said is noise."""
    return _longer(scenes, OF_SPEAKERS, n_more, seed)


def with_filling(scenes, n_more, seed=9):
    """The same with frames that are none, of which all that is said is noise."""
    return _longer(scenes, dict.fromkeys(OF_FRAMES, 1), n_more, seed)


def cut(scenes, first, end):
    """Some of the frames."""
    values = {name: getattr(scenes, name) for name in OF_FRAMES}
    return replace(scenes, **{n: v[:, first:end] for n, v in values.items() if v is not None})


def _longer(scenes, axes, n_more, seed):
    generator, changed = chance(seed), {}
    for name, axis in axes.items():
        values = getattr(scenes, name)
        if values is None:
            continue
        shape = list(values.shape)
        shape[axis] = n_more
        if values.is_floating_point():
            more = torch.rand(shape, generator=generator, dtype=values.dtype)
        else:
            more = torch.full(shape, -1 if name == "owner" else 0, dtype=values.dtype)
        changed[name] = torch.cat([values, more], axis)
    return replace(scenes, **changed)
