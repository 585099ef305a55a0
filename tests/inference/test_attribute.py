"""Who talks when, by a model that is asked block by block, and who of a cast is kept."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, made_heard, talk_of

from diarize.errors import BadCall, BadFile, MissingWeights
from diarize.features.segmentation import HOP_S
from diarize.inference import attribute as attributing
from diarize.inference.attribute import (
    MOST_IN_BLOCK,
    AttributorSettings,
    attribute,
    attribute_cast,
    load_attributor,
)
from diarize.inference.cluster import SpeakerBounds, SpeakerSet
from diarize.inference.counting import CountSettings
from diarize.inference.scenes import Cast, cast_of
from diarize.layers.markov import smoothed, switching
from diarize.models.baselines.vaebss import VAEBSS, VAEBSSSettings
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.model import SpeechMSVAE, speaker_patterns
from diarize.training.shipped import describe, ship

EYE = np.eye(N_DIMENSIONS, dtype=np.float32)
SPANS = [[(1.0, 9.0), (20.0, 24.0)], [(8.0, 14.0)], [(15.0, 19.0), (23.0, 29.0)]]
N_FRAMES = 1778  # 30 s
TINY = SpeechSettings(
    trunk_width=8,
    speaker_width=6,
    profile_width=4,
    memory=4,
    n_latents=2,
    n_background=2,
    decoder_width=8,
)
ANY = SpeakerBounds()
BY_TALK = CountSettings(  # even odds at one second of talk
    log_expected_s=2.0, log_sure_s=0.0, rival=0.0, alike=0.0, log_heard_s=0.0, constant=0.0
)


def model_alone(**settings):
    """The windows have no say beside the model, and no frame is silenced."""
    return AttributorSettings(window_weight=0.0, least_speech=0.0, **settings)


ONE_BLOCK = model_alone(block_s=1000.0, counting=BY_TALK)


class Told(SpeechMSVAE):
    """Knows who talks from what the windows say, frame by frame; keeps what it was asked."""

    def __init__(self, settings=TINY):
        super().__init__(settings)
        self.asked = []

    def probability(self, scenes):
        """Of each speaker to talk, (scene, frame, speaker)."""
        return 0.001 + 0.998 * scenes.local

    def weigh(self, scenes, generator=None):
        self.asked.append(scenes)
        there = scenes.is_there[:, None]
        talks = torch.where(there, self.probability(scenes), 1e-6)[:, :, None]
        patterns = speaker_patterns(scenes.profile.shape[1], self.settings.most_together)
        weight = (patterns * talks.log() + (1 - patterns) * (1 - talks).log()).sum(3)
        return SimpleNamespace(log_probability=weight.log_softmax(2), patterns=patterns)


class Shares(Told):
    """Each voice talks for so many seconds of the recording, by who else is there.

    `talk_s` gives, for the voices that are there, how long each talks.
    """

    def __init__(self, talk_s, n_frames):
        super().__init__()
        self.talk_s, self.n_frames = talk_s, n_frames

    def probability(self, scenes):
        voices = tuple(scenes.profile[0].argmax(dim=1).tolist())
        share = torch.tensor(self.talk_s[voices]) / (self.n_frames * HOP_S)
        return share.expand(*scenes.local.shape)


class Says(Told):
    """The same of a voice in every frame, `probability_of` its direction."""

    def __init__(self, *probability_of):
        super().__init__()
        self.probability_of = torch.tensor(probability_of)

    def probability(self, scenes):
        found = self.probability_of[scenes.profile.argmax(dim=2)]
        return found[:, None].expand(*scenes.local.shape)


@pytest.fixture(scope="module")
def heard():
    return made_heard(SPANS, N_FRAMES)


@pytest.fixture(scope="module")
def cast(heard):
    return cast_of(heard, EYE[:3], np.array([12.0, 6.0, 10.0], np.float32))


def speakers(n_speakers):
    """That many voices, each of its own direction."""
    talk_s = np.linspace(9.0, 5.0, n_speakers)
    return SpeakerSet(EYE[:n_speakers], talk_s, np.full(n_speakers, -0.5))


def test_presence_is_what_the_model_says_of_each_in_each_frame(heard, cast):
    found = attribute_cast(Told(), heard, cast, ONE_BLOCK)
    truth = talk_of(SPANS, N_FRAMES)
    assert found.presence.shape == truth.shape
    np.testing.assert_array_equal(found.presence > 0.5, truth)
    assert found.cast is cast


WINDOWS_SAY = np.repeat([[0.0, 0.5, 1.0], [1.0, 1.0, 0.0]], 20, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def second():
    """Sixty frames with speech, of two voices; the windows change their mind every twenty."""
    heard = made_heard([[(0.0, 1.2)]], 60)
    return heard, Cast(EYE[:2], np.ones(2, np.float32), WINDOWS_SAY.copy())


@pytest.mark.parametrize("block_s", [1000.0, 0.3])
@pytest.mark.parametrize(
    ("window_weight", "blend"),
    [
        (0.0, [[0.2, 0.2, 0.2], [0.6, 0.6, 0.6]]),
        (0.25, [[0.15, 0.275, 0.4], [0.7, 0.7, 0.45]]),
        (0.5, [[0.1, 0.35, 0.6], [0.8, 0.8, 0.3]]),
        (1.0, [[0.0, 0.5, 1.0], [1.0, 1.0, 0.0]]),
    ],
)
def test_the_windows_have_their_share_of_what_is_said(second, window_weight, blend, block_s):
    heard, cast = second
    settings = AttributorSettings(
        window_weight=window_weight, least_speech=0.0, block_s=block_s, margin_s=0.1
    )
    found = attribute_cast(Says(0.2, 0.6), heard, cast, settings)
    np.testing.assert_allclose(found.presence, np.repeat(blend, 20, axis=1), atol=1e-5)
    np.testing.assert_array_equal(cast.local, WINDOWS_SAY)  # the cast is as it was
    assert found.presence.dtype == np.float32


@pytest.mark.parametrize(
    ("least_speech", "talks"),
    [
        (0.0, [1, 1, 1, 1]),
        (0.1, [0, 1, 1, 1]),
        (0.25, [0, 1, 1, 1]),  # as much is enough
        (0.26, [0, 0, 1, 1]),
        (1.0, [0, 0, 0, 1]),
    ],
)
@pytest.mark.parametrize("window_weight", [0.0, 0.25])
def test_where_there_is_too_little_speech_nobody_talks(second, least_speech, talks, window_weight):
    heard, cast = second
    speech = np.repeat([0.0, 0.25, 0.5, 1.0], 15).astype(np.float32)
    settings = AttributorSettings(window_weight=window_weight, least_speech=least_speech)
    found = attribute_cast(Says(0.2, 0.6), replace(heard, speech=speech), cast, settings)
    said = [[0.2], [0.6]] * np.ones(60)
    blend = said + window_weight * (WINDOWS_SAY - said)
    np.testing.assert_allclose(found.presence, blend * np.repeat(talks, 15), atol=1e-5)
    assert not found.presence[:, np.repeat(talks, 15) == 0].any()


def test_voices_that_only_the_windows_hear_are_kept_for_their_share(heard):
    silent = Says(0.001, 0.001, 0.001)
    blended = replace(ONE_BLOCK, window_weight=0.5)  # of 12, 6 and 10 s
    assert len(attribute(silent, heard, speakers(3), blended, ANY).cast) == 3
    assert len(attribute(silent, heard, speakers(3), ONE_BLOCK, ANY).cast) == 1


def test_what_is_said_where_there_is_no_speech_makes_nobody_a_person(heard):
    """The second voice talks in a stretch that the segmentation takes for silence."""
    speech = np.where(talk_of(SPANS, N_FRAMES)[1], 0.01, heard.speech).astype(np.float32)
    hushed = replace(heard, speech=speech)
    assert len(attribute(Told(), hushed, speakers(3), ONE_BLOCK, ANY).cast) == 3
    gated = replace(ONE_BLOCK, least_speech=0.05)
    found = attribute(Told(), hushed, speakers(3), gated, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[[0, 2]])
    assert not found.presence[:, speech < 0.05].any()


def test_by_default_the_windows_have_a_say_and_silence_is_kept(second):
    heard, cast = second
    settings = AttributorSettings()
    assert 0 < settings.window_weight < 0.5  # the model has the last word
    assert 0 < settings.least_speech < 0.5
    speech = np.where(np.arange(60) < 30, 0.001, 1.0).astype(np.float32)
    found = attribute_cast(Says(0.2, 0.6), replace(heard, speech=speech), cast, settings)
    assert not found.presence[:, :30].any()
    assert 0.2 < found.presence[0, -1] < 1.0  # the windows: 1, and 0 of the other
    assert 0.0 < found.presence[1, -1] < 0.6


@pytest.mark.parametrize("block_s", [1.0, 3.7, 7.0, 29.0])
@pytest.mark.parametrize("margin_s", [0.0, 0.5, 5.0])
def test_blocks_of_a_model_without_memory_are_as_one(heard, cast, block_s, margin_s):
    whole = attribute_cast(Told(), heard, cast, ONE_BLOCK)
    model = Told()
    settings = model_alone(block_s=block_s, margin_s=margin_s)
    found = attribute_cast(model, heard, cast, settings)
    np.testing.assert_allclose(found.presence, whole.presence, atol=1e-5)
    assert sum(len(scenes) for scenes in model.asked) == round(N_FRAMES * HOP_S / block_s)
    longest = max(scenes.mel.shape[1] for scenes in model.asked) * HOP_S
    assert longest < 1.5 * block_s + 2 * margin_s + 3 * HOP_S


def test_only_so_many_blocks_are_asked_at_once(heard, cast):
    model = Told()
    attribute_cast(model, heard, cast, AttributorSettings(block_s=3.0))
    assert max(len(scenes) for scenes in model.asked) <= attributing.BLOCKS_AT_ONCE


def test_each_block_is_told_how_long_a_pause_is(heard, cast):
    model = Told()
    attribute_cast(model, heard, cast, AttributorSettings(pause_s=1.25))
    assert all((scenes.pause_s == 1.25).all() for scenes in model.asked)


def test_a_recording_shorter_than_a_block_is_one():
    heard = made_heard([[(0.0, 0.2)]], 13)
    model = Told()
    found = attribute_cast(model, heard, cast_of(heard, EYE[:1], np.ones(1)), AttributorSettings())
    assert found.presence.shape == (1, 13)
    assert len(model.asked) == len(model.asked[0]) == 1


def test_with_nobody_to_talk_nobody_does_and_the_model_is_not_asked(heard):
    model = Told()
    nobody = SpeakerSet(np.zeros((0, N_DIMENSIONS), np.float32), np.zeros(0), np.zeros(0))
    told = []
    found = attribute(model, heard, nobody, AttributorSettings(), ANY, told.append)
    assert found.presence.shape == (0, N_FRAMES)
    assert len(found.cast) == len(model.asked) == 0
    assert found.speaker_counts == {0: 1.0}
    assert told[-1] == 1


def voices_asked(model):
    return [tuple(scenes.profile[0].argmax(dim=1).tolist()) for scenes in model.asked]


@pytest.fixture
def shares():
    """Voices 1 and 2 hardly talk, and what they say is another's once they are gone."""
    return {
        (0, 1, 2, 3): [8.0, 0.4, 0.1, 2.0],
        (0, 1, 3): [8.1, 0.4, 2.0],
        (0, 3): [8.2, 2.3],
        (0,): [10.5],
    }


@pytest.fixture(scope="module")
def twenty_s():
    return made_heard([[(0.0, 20.0)]], 1185)


def talk_s(found):
    return found.presence.sum(axis=1) * HOP_S


def test_who_hardly_talks_goes_and_the_rest_are_asked_again(shares, twenty_s):
    model = Shares(shares, 1185)
    told = []
    found = attribute(model, twenty_s, speakers(4), ONE_BLOCK, ANY, told.append)
    assert voices_asked(model) == [(0, 1, 2, 3), (0, 3)]
    np.testing.assert_array_equal(found.cast.profile, EYE[[0, 3]])
    np.testing.assert_allclose(talk_s(found), [8.2, 2.3], rtol=1e-3)
    assert told == sorted(told)
    assert told[-1] == 1


def test_how_probable_each_number_of_people_is_is_told(shares, twenty_s):
    found = attribute(Shares(shares, 1185), twenty_s, speakers(4), ONE_BLOCK, ANY)
    # seconds squared are odds: each voice is somebody by itself
    sure = np.array([8.0, 0.4, 0.1, 2.0]) ** 2
    sure = sure / (1 + sure)
    nobody = np.prod(1 - sure)
    all_four = np.prod(sure) / (1 - nobody)  # one at least there is
    assert sorted(found.speaker_counts) == [1, 2, 3, 4]
    assert sum(found.speaker_counts.values()) == pytest.approx(1)
    assert found.speaker_counts[4] == pytest.approx(all_four, rel=0.02)
    assert max(found.speaker_counts, key=found.speaker_counts.get) == len(found.cast) == 2


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        (SpeakerBounds(1, 20), [0, 3]),
        (SpeakerBounds(3, 20), [0, 1, 3]),
        (SpeakerBounds(3, 3), [0, 1, 3]),
        (SpeakerBounds(4, 4), [0, 1, 2, 3]),
        (SpeakerBounds(30, 30), [0, 1, 2, 3]),  # there are no more
        (SpeakerBounds(1, 1), [0]),
    ],
)
def test_so_many_are_kept_as_may_be_however_much_they_say(shares, twenty_s, bounds, kept):
    model = Shares(shares, 1185)
    found = attribute(model, twenty_s, speakers(4), ONE_BLOCK, bounds)
    np.testing.assert_array_equal(found.cast.profile, EYE[kept])
    assert len(found.presence) == len(kept)
    least, most = min(bounds.least, 4), min(bounds.most, 4)
    assert list(found.speaker_counts) == list(range(least, most + 1))


def test_one_voice_is_kept_even_if_it_says_nothing(twenty_s):
    silent = {(0, 1): [0.03, 0.02], (0,): [0.03]}
    found = attribute(Shares(silent, 1185), twenty_s, speakers(2), ONE_BLOCK, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[[0]])


def test_who_all_talk_are_asked_once(heard):
    model = Told()
    found = attribute(model, heard, speakers(3), ONE_BLOCK, ANY)
    assert len(model.asked) == 1
    assert len(found.cast) == 3


def test_a_voice_that_is_in_no_window_goes_and_the_others_are_as_they_were(heard):
    speakers = SpeakerSet(EYE[[3, 0, 1, 2]], np.full(4, 5.0), np.full(4, -0.5))
    found = attribute(Told(), heard, speakers, ONE_BLOCK, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[:3])
    np.testing.assert_array_equal(found.presence > 0.5, talk_of(SPANS, N_FRAMES))


def test_twins_are_one_person_if_likeness_counts(twenty_s):
    """Of two equal voices the one of whom less was heard is the first again."""
    twins = SpeakerSet(EYE[[0, 0]], np.array([9.0, 5.0]), np.array([-1.0, 0.5]))
    model = Shares({(0, 0): [6.0, 4.0], (0,): [10.0]}, 1185)
    assert len(attribute(model, twenty_s, twins, ONE_BLOCK, ANY).cast) == 2
    alike = model_alone(
        block_s=1000.0,
        counting=CountSettings(log_expected_s=2.0, rival=-9.0, alike=0.0, constant=0.0),
    )
    found = attribute(model, twenty_s, twins, alike, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[[0]])
    assert found.cast.heard_s.tolist() == [9.0]


@pytest.fixture
def crowd():
    """Nine voices, of whom three at a time talk in each ten seconds of thirty."""
    heard = made_heard(SPANS, N_FRAMES)
    dimension = 12
    local = np.zeros((9, N_FRAMES), np.float32)
    around = np.zeros((3, heard.around.shape[1], dimension), np.float16)
    for third in range(3):
        frames = slice(third * N_FRAMES // 3, (third + 1) * N_FRAMES // 3)
        for one in range(3):
            local[3 * third + one, frames] = 0.5
    for moment in range(around.shape[1]):
        around[:, moment, 3 * min(2, moment // 100)] = 1
    profile = np.eye(dimension, dtype=np.float32)[:9]
    voice = np.zeros((len(heard.voice), dimension), np.float16)
    made = type(heard)(**{**vars(heard), "around": around, "voice": voice})
    return made, Cast(profile, np.ones(9, np.float32), local)


def test_of_a_large_cast_the_likeliest_of_each_block_are_asked(crowd):
    heard, cast = crowd
    model = Told()
    found = attribute_cast(model, heard, cast, model_alone(block_s=10.0, margin_s=0.0))
    (scenes,) = model.asked
    assert scenes.profile.shape[:2] == (3, MOST_IN_BLOCK)
    middles = [N_FRAMES // 6, N_FRAMES // 2, 5 * N_FRAMES // 6]
    for third, profile in enumerate(scenes.profile):
        there = set(profile.argmax(dim=1).tolist())
        assert {3 * third, 3 * third + 1, 3 * third + 2} <= there
        # who was not asked for does not talk, and is in the cast all the same
        assert not found.presence[sorted(set(range(9)) - there), middles[third]].any()
    talks = np.repeat(np.eye(3, dtype=bool), 3, axis=0)  # 0.5 of the windows is 0.5 here
    np.testing.assert_array_equal(found.presence[:, middles] > 0.3, talks)
    assert found.presence.shape == (9, N_FRAMES)


def test_a_voice_that_no_window_knows_is_likely_where_it_is_heard(crowd):
    heard, cast = crowd
    silent = Cast(cast.profile, cast.heard_s, np.zeros_like(cast.local))
    model = Told()
    attribute_cast(model, heard, silent, AttributorSettings(block_s=10.0, margin_s=0.0))
    (scenes,) = model.asked
    for third, profile in enumerate(scenes.profile):
        assert 3 * third in profile.argmax(dim=1).tolist()


def test_a_cast_that_is_not_large_is_asked_whole(heard):
    cast = cast_of(heard, EYE, np.ones(N_DIMENSIONS))
    model = Told()
    attribute_cast(model, heard, cast, AttributorSettings(block_s=5.0))
    assert len(cast) == MOST_IN_BLOCK
    for scenes in model.asked:
        np.testing.assert_array_equal(scenes.profile, np.broadcast_to(EYE, scenes.profile.shape))


class Flickering(Told):
    """Unsure, and wrong in one frame of twenty."""

    def probability(self, scenes):
        right = 0.3 + 0.4 * scenes.local
        wrong = (torch.arange(right.shape[1]) % 20 == 0)[:, None]
        return torch.where(wrong, 1 - right, right)


def test_a_chain_makes_flickering_frames_steady(heard, cast):
    rough = attribute_cast(Flickering(), heard, cast, ONE_BLOCK)
    settings = model_alone(block_s=1000.0, mean_on_s=3.0, mean_off_s=5.0)
    steady = attribute_cast(Flickering(), heard, cast, settings)
    truth = talk_of(SPANS, N_FRAMES)
    assert ((rough.presence > 0.5) != truth).mean() > 0.04
    assert ((steady.presence > 0.5) != truth).mean() < 0.01
    assert steady.presence.min() >= 0
    assert steady.presence.max() <= 1 + 1e-5


def test_a_chain_is_forward_and_backward_over_frames_its_prior_counted_once(heard, cast):
    settings = model_alone(block_s=1000.0, mean_on_s=2.0, mean_off_s=6.0)
    model = Flickering()
    found = attribute_cast(model, heard, cast, settings)
    weighed = model.weigh(model.asked[0])
    patterns = weighed.patterns
    prior = (patterns * np.log(0.25) + (1 - patterns) * np.log(0.75)).sum(1)
    step = switching(patterns, HOP_S / 2.0, HOP_S / 6.0)
    expected = smoothed(weighed.log_probability - prior, step)[0].exp() @ patterns
    np.testing.assert_allclose(found.presence, expected[0].T[:, :N_FRAMES], atol=1e-4)


@pytest.mark.parametrize("means", [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)])
def test_without_both_means_there_is_no_chain(heard, cast, means):
    settings = model_alone(block_s=1000.0, mean_on_s=means[0], mean_off_s=means[1])
    found = attribute_cast(Flickering(), heard, cast, settings)
    rough = attribute_cast(Flickering(), heard, cast, ONE_BLOCK)
    np.testing.assert_array_equal(found.presence, rough.presence)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"block_s": 0.0}, "block_s = 0.0"),
        ({"block_s": -1.0}, "block_s = -1.0"),
        ({"margin_s": -0.5}, "margin_s = -0.5"),
        ({"window_weight": -0.1}, "window_weight = -0.1; 0 to 1"),
        ({"window_weight": 1.5}, "window_weight = 1.5; 0 to 1"),
        ({"window_weight": float("nan")}, "window_weight = nan; 0 to 1"),
        ({"least_speech": -0.1}, "least_speech = -0.1; 0 to 1"),
        ({"least_speech": 1.01}, "least_speech = 1.01; 0 to 1"),
        ({"least_speech": float("nan")}, "least_speech = nan; 0 to 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, found):
    with pytest.raises(BadCall, match=found):
        AttributorSettings(**settings)


@pytest.mark.parametrize("name", ["window_weight", "least_speech"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_may_be_nothing_or_all(name, share):
    assert getattr(AttributorSettings(**{name: share}), name) == share


def test_weights_that_were_shipped_are_loaded_ready_to_use(tmp_path):
    path = tmp_path / "tiny.safetensors"
    model = SpeechMSVAE(TINY)
    ship(path, model.state_dict(), {"model": describe(model)})
    loaded = load_attributor(path)
    assert loaded.settings == TINY
    assert not loaded.training
    for name, values in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], values)


def test_weights_of_another_model_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.safetensors"
    model = VAEBSS(VAEBSSSettings(n_pixels=4, widths=(3,)))
    ship(path, model.state_dict(), {"model": describe(model)})
    with pytest.raises(BadFile) as error:
        load_attributor(path)
    assert str(error.value) == f"{path}: weights of a VAEBSS; a SpeechMSVAE is wanted"


def test_weights_of_other_settings_than_their_card_says_are_refused_in_one_line(tmp_path):
    path = tmp_path / "odd.safetensors"
    small, large = SpeechMSVAE(TINY), SpeechMSVAE(SpeechSettings())
    ship(path, large.state_dict(), {"model": describe(small)})
    with pytest.raises(BadFile, match="of another model") as error:
        load_attributor(path)
    assert "\n" not in str(error.value)


def test_weights_that_are_missing_or_damaged_are_told_apart(tmp_path):
    with pytest.raises(MissingWeights, match="no such file; wanted the weights of attributor"):
        load_attributor(tmp_path / "none.safetensors")
    path = tmp_path / "tiny.safetensors"
    model = SpeechMSVAE(TINY)
    ship(path, model.state_dict(), {"model": describe(model)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadFile, match=r"tiny.safetensors: damaged") as error:
        load_attributor(path)
    assert "\n" not in str(error.value)
