"""Conversations of two known speakers, whose own sound is known too: to train on and to test.

In the folder: `manifest.jsonl`, `ref.rttm`, `all.uem` and `audio/` of the test conversations, and
the same of `train/` and `dev/`. A recording has two channels, one a speaker; their sum is what
a model hears. No utterance is in more than one of the three parts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diarize.audio.frames import to_samples
from diarize.audio.io import RATE_HZ
from diarize.audio.mix import coloured_noise, gain
from diarize.corpora.chance import generator_of
from diarize.corpora.phrases import LEVEL_DBFS, Voice
from diarize.corpora.speech_table import Utterance, read_speech_table
from diarize.corpora.stamp import STAMP, Fetched, finished, mark, stamp_of
from diarize.corpora.turn_taking import TurnTaking, take_turns
from diarize.corpora.two_channel import TwoChannel, read_two_channel, sounded, write_part
from diarize.corpora.two_speaker_settings import PARTS, TwoSpeakerSettings
from diarize.errors import BadCall, BadFile

SOURCES = ("speech", "channels", "seed")
LEAST_S = 20.0  # of each speaker's speech in each part


def make_two_speakers(folder: Path | str, settings: TwoSpeakerSettings) -> Fetched:
    """Make the three parts in `folder`, or find them whole.

    Raises:
        BadCall: neither speech nor recordings are named, or the folder holds another corpus.
        BadFile: a source that cannot be used, or a folder that cannot be written.
    """
    folder = Path(folder)
    stamp = stamp_of("two_speakers", settings)
    stamp["settings"] = settings.made()
    if found := finished(folder, stamp):
        return found
    if settings.channels:
        parts = _of_channels(settings)
    elif settings.speech:
        parts = {part: _conversations(part, settings) for part in PARTS}
    else:
        raise BadCall(
            "no sound named; give --speech DIR (it holds speakers.tsv), or --channels FILE with a "
            "speaker a channel"
        )
    for part in PARTS:
        write_part(parts[part], settings.speakers, folder_of(folder, part))
    mark(folder, stamp)
    return Fetched(folder / "manifest.jsonl", len(parts["test"]), is_new=True)


def check_made(folder: Path, settings: TwoSpeakerSettings) -> None:
    """Nothing, if what lies in `folder` was made by these settings, of whatever sound.

    Raises:
        BadFile: it was not; the message names the setting.
    """
    path = folder / STAMP
    again = "run diarize fetch two_speakers again, or name another folder"
    try:
        made = json.loads(path.read_text(encoding="utf-8"))["settings"]
        differing = [name for name, wanted in settings.made().items() if made.get(name) != wanted]
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file; run diarize fetch two_speakers first") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BadFile(f"{path}: cannot be read ({error}); {again}") from None
    for name in differing:
        if name not in SOURCES:  # which a call may name in place of a conf file
            raise BadFile(
                f"{path}: made with {name} = {made.get(name)}, and {settings.made()[name]} is "
                f"wanted; {again}"
            )


def folder_of(folder: Path, part: str) -> Path:
    """Where a part is: the test conversations lie in the folder itself."""
    return folder if part == "test" else folder / part


def shared_out(
    utterances: Sequence[Utterance], settings: TwoSpeakerSettings, speaker: str
) -> dict[str, list[Path]]:
    """The utterances of `speaker` by part, in an order of chance, none in two parts.

    Raises:
        BadFile: there are too few for three parts.
    """
    own = sorted((one for one in utterances if one.speaker == speaker), key=lambda one: one.path)
    total_s = sum(one.duration_s for one in own)
    chance = generator_of(settings.seed, "share out", speaker)
    waiting = [own[index] for index in chance.permutation(len(own))]
    parts: dict[str, list[Path]] = {}
    for part in PARTS:  # train comes last and takes what is left
        share_s = settings.share_of(part) * total_s
        taken_s, parts[part] = 0.0, []
        while waiting and (part == "train" or taken_s < share_s):
            taken_s += waiting[0].duration_s
            parts[part].append(waiting.pop(0).path)
        if taken_s < LEAST_S:
            raise BadFile(
                f"{settings.speech}: speaker {speaker!r} has {total_s:.0f} s, {taken_s:.0f} s of "
                f"it for {part}; expected {LEAST_S:g} s or more; take a speaker with minutes"
            )
    return parts


def _conversations(part: str, settings: TwoSpeakerSettings) -> list[TwoChannel]:
    assert settings.speech is not None
    utterances = read_speech_table(settings.speech)
    paths = [shared_out(utterances, settings, name)[part] for name in settings.speakers]
    return [
        converse(paths, settings, f"{part}_{number:02d}")
        for number in range(settings.count_of(part))
    ]


def converse(
    paths: Sequence[Sequence[Path]], settings: TwoSpeakerSettings, recording: str
) -> TwoChannel:
    """A conversation of two, of utterances of each; the same arguments give the same samples.

    Source: ours. Turn-taking is that of `corpora.turn_taking`; levels differ; each channel has
    pink noise.

    Raises:
        BadFile: an utterance that cannot be read.
    """
    chance = generator_of(settings.seed, recording)
    takes = [Voice(own, one).take for own, one in zip(paths, chance.spawn(2), strict=True)]
    rules = TurnTaking(overlap_share=settings.overlap)
    placed = take_turns(takes, settings.duration_s, rules, chance)
    tracks = np.zeros((2, to_samples(settings.duration_s, RATE_HZ)), np.float32)
    spans: tuple[list[tuple[float, float]], ...] = ([], [])
    for one in placed:
        first = to_samples(one.start_s, RATE_HZ)
        room = tracks[one.speaker, first : first + len(one.spoken.samples)]
        room += one.spoken.samples[: len(room)]
        spans[one.speaker].extend(
            (round(one.start_s + start, 3), round(one.start_s + end, 3))
            for start, end in one.spoken.spans
        )
    for track in tracks:
        track *= gain(float(chance.normal(0, settings.level_spread_db)))
        noise = coloured_noise(len(track), -3.0, chance)
        track += gain(LEVEL_DBFS - settings.snr_db) * noise
    first_spans, second_spans = (tuple(sorted(own)) for own in spans)
    return TwoChannel(recording, sounded(tracks), RATE_HZ, (first_spans, second_spans))


def _of_channels(settings: TwoSpeakerSettings) -> dict[str, list[TwoChannel]]:
    """Recordings cut into parts: each begins with what is to be tested on, as in the paper."""
    parts: dict[str, list[TwoChannel]] = {part: [] for part in PARTS}
    for path in settings.channels:
        one = read_two_channel(path)
        if one.duration_s < 2 * settings.duration_s:
            raise BadFile(
                f"{path}: lasts {one.duration_s:.0f} s; expected {2 * settings.duration_s:.0f} s "
                f"or more: the first {settings.duration_s:g} s are to test on (duration_s)"
            )
        test_s, dev_s = settings.duration_s, 1.5 * settings.duration_s
        parts["test"].append(one.between(0.0, test_s, one.recording))
        parts["dev"].append(one.between(test_s, dev_s, one.recording))
        parts["train"].append(one.between(dev_s, one.duration_s, one.recording))
    names = [one.recording for one in parts["test"]]
    if len(set(names)) < len(names):
        raise BadCall("two recordings of --channels have one name; names must differ")
    return parts
