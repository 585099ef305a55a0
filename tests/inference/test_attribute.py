"""Who talks when, by a model that is asked block by block, and which set of voices is taken."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, TINY, made_heard, talk_of

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
from diarize.inference.counting import CountSettings, evidence, number_posterior
from diarize.inference.scenes import Cast, cast_of
from diarize.layers.markov import smoothed, switching
from diarize.models.baselines.vaebss import VAEBSS, VAEBSSSettings
from diarize.models.msvae.speech.config import SpeechSettings
from diarize.models.msvae.speech.model import SpeechMSVAE, speaker_patterns
from diarize.training.shipped import describe, ship

EYE = np.eye(N_DIMENSIONS, dtype=np.float32)
SPANS = [[(1.0, 9.0), (20.0, 24.0)], [(8.0, 14.0)], [(15.0, 19.0), (23.0, 29.0)]]
N_FRAMES = 1778  # 30 s
ANY = SpeakerBounds()
NOTHING = CountSettings(**{field.name: 0.0 for field in fields(CountSettings)})
# odds: seconds of who talks least, and a factor of e for each tenth of the speech that is explained
BY_TALK = replace(NOTHING, least_expected_s=1.0, unexplained=-10.0)


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
    """Each voice talks for such a share of every frame, by who else is there."""

    def __init__(self, share_of):
        super().__init__(replace(TINY, most_together=4))
        self.share_of = share_of

    def probability(self, scenes):
        voices = tuple(scenes.profile[0].argmax(dim=1).tolist())
        return torch.tensor(self.share_of[voices]).expand(*scenes.local.shape)


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


def set_of(*voices, alike=-0.5):
    """These voices, each of its own direction, all but the first so much like another."""
    talk_s = np.linspace(9.0, 5.0, len(voices))
    return SpeakerSet(EYE[list(voices)], talk_s, np.array([-1.0] + [alike] * (len(voices) - 1)))


def sets_up_to(n_sets, n_different=None):
    """Sets of 1 to so many voices, of whom that many (all) seem to be different people."""
    n_different = n_sets if n_different is None else n_different
    return [
        set_of(*range(size), alike=-0.5 if size <= n_different else 0.25)
        for size in range(1, n_sets + 1)
    ]


HALF_SAYS_NOTHING = {(0,): [0.5], (0, 1): [0.5, 0.5], (0, 1, 2): [0.5, 0.5, 0.01]}


def test_finer_groups_are_tried_where_much_is_left_unexplained(twenty_s):
    shares = Shares(HALF_SAYS_NOTHING)
    found = attribute(shares, twenty_s, [set_of(0)], ONE_BLOCK, ANY, finer=lambda: sets_up_to(3))
    assert len(found.cast) == 2
    assert set(found.speaker_counts) == {1, 2, 3}
    assert sum(found.speaker_counts.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sets", "settings", "bounds"),
    [
        (sets_up_to(1), replace(ONE_BLOCK, unexplained=0.6), ANY),  # not that much
        (sets_up_to(4, n_different=1), ONE_BLOCK, SpeakerBounds(1, 1)),  # larger ones are known
    ],
)
def test_finer_groups_are_not_asked_for_without_need(twenty_s, sets, settings, bounds):
    def finer():
        raise AssertionError

    found = attribute(Shares(HALF_SAYS_NOTHING), twenty_s, sets, settings, bounds, finer=finer)
    assert len(found.cast) == 1


def test_finer_groups_keep_to_the_greatest_number(twenty_s):
    shares, bounds = Shares(HALF_SAYS_NOTHING), SpeakerBounds(1, 1)
    found = attribute(shares, twenty_s, [set_of(0)], ONE_BLOCK, bounds, finer=lambda: sets_up_to(3))
    assert len(found.cast) == 1


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


def test_voices_that_only_the_windows_hear_are_taken_for_their_share(heard):
    silent = Says(0.001, 0.001, 0.001)
    sets = sets_up_to(3, n_different=1)
    alone = replace(ONE_BLOCK, counting=replace(NOTHING, more=-1.0, unexplained=-20.0))
    blended = replace(alone, window_weight=0.5)  # of 12, 6 and 10 s
    assert len(attribute(silent, heard, sets, alone, ANY).cast) == 1
    assert len(attribute(silent, heard, sets, blended, ANY).cast) == 3


def test_what_is_said_where_there_is_no_speech_makes_nobody_a_person(heard):
    """The second voice talks in a stretch that the segmentation takes for silence."""
    speech = np.where(talk_of(SPANS, N_FRAMES)[1], 0.01, heard.speech).astype(np.float32)
    hushed = replace(heard, speech=speech)
    sets = [set_of(0), set_of(0, 2), set_of(0, 2, 1, alike=0.5)]
    settings = replace(ONE_BLOCK, counting=replace(BY_TALK, more=1.0))
    assert len(attribute(Told(), hushed, sets, settings, ANY).cast) == 3
    gated = replace(settings, least_speech=0.05)
    found = attribute(Told(), hushed, sets, gated, ANY)
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
    at_once = [len(scenes) for scenes in model.asked]
    assert max(at_once) == attributing.BLOCKS_AT_ONCE
    assert sum(at_once) == 10


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


@pytest.mark.parametrize("bounds", [ANY, SpeakerBounds(3, 3)])
def test_without_sets_nobody_talks_and_the_model_is_not_asked(heard, bounds):
    model = Told()
    found = attribute(model, heard, [], AttributorSettings(), bounds)
    assert found.presence.shape == (0, N_FRAMES)
    assert found.presence.dtype == np.float32
    assert len(found.cast) == len(model.asked) == 0
    assert found.cast.profile.shape == (0, N_DIMENSIONS)
    assert found.cast.local.shape == (0, N_FRAMES)
    assert found.speaker_counts == {0: 1.0}


def voices_asked(model):
    return [tuple(scenes.profile[0].argmax(dim=1).tolist()) for scenes in model.asked]


SHARES = {  # the fourth says next to nothing, the third half of what there is
    (0,): [0.3],
    (0, 1): [0.3, 0.4],
    (0, 1, 2): [0.3, 0.4, 0.5],
    (0, 1, 2, 3): [0.3, 0.4, 0.5, 0.01],
    (0, 1, 2, 3, 4): [0.3, 0.4, 0.5, 0.01, 0.01],
}
ODDS = {  # seconds of who talks least, of twenty, and what all leave unsaid
    1: 6.0 * np.exp(-10 * 0.7),
    2: 6.0 * np.exp(-10 * 0.7 * 0.6),
    3: 6.0 * np.exp(-10 * 0.7 * 0.6 * 0.5),
    4: 0.2 * np.exp(-10 * 0.7 * 0.6 * 0.5 * 0.99),
}


@pytest.fixture
def shares():
    return Shares(SHARES)


@pytest.fixture(scope="module")
def twenty_s():
    return made_heard([[(0.0, 20.0)]], 1185)


def talk_s(found):
    return found.presence.sum(axis=1) * HOP_S


def test_the_sets_around_what_it_seems_are_asked_each_by_itself(shares, twenty_s):
    told = []
    sets = sets_up_to(5, n_different=2)
    attribute(shares, twenty_s, sets, ONE_BLOCK, ANY, told.append)
    assert voices_asked(shares) == [tuple(range(size)) for size in (1, 2, 3, 4)]
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_the_likeliest_set_is_taken_as_it_was_found(shares, twenty_s):
    found = attribute(shares, twenty_s, sets_up_to(4, n_different=2), ONE_BLOCK, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[:3])
    assert found.cast.heard_s.tolist() == [9.0, 7.0, 5.0]
    np.testing.assert_allclose(talk_s(found), [6, 8, 10], rtol=1e-3)
    alone = attribute_cast(shares, twenty_s, found.cast, ONE_BLOCK)
    np.testing.assert_array_equal(found.presence, alone.presence)


def test_how_probable_each_number_of_people_is_is_told(shares, twenty_s):
    found = attribute(shares, twenty_s, sets_up_to(4, n_different=2), ONE_BLOCK, ANY)
    total = sum(ODDS.values())
    expected = {number: odds / total for number, odds in ODDS.items()}
    assert found.speaker_counts == pytest.approx(expected, rel=5e-3)
    assert list(found.speaker_counts) == [1, 2, 3, 4]
    assert sum(found.speaker_counts.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("favour", "n_taken"),
    [
        ({"more": 20.0}, 4),
        ({"more": -20.0}, 2),
        ({"fewer": 20.0}, 1),
        ({"more": -20.0, "fewer": -20.0}, 2),
        ({"least_sure": 0.5}, 3),
        ({"least_sure": 9.0}, 3),
        ({"alike": -20.0}, 2),  # the third and the fourth are like another
        ({"parted": 20.0}, 4),  # the second's 0.25, but of the fourth nobody is left
        ({"parted": -20.0}, 1),
        ({}, 3),
    ],
)
def test_the_set_that_is_taken_is_the_most_probable(shares, twenty_s, favour, n_taken):
    settings = replace(ONE_BLOCK, counting=replace(BY_TALK, **favour))
    if favour.get("parted", 0) > 0:
        settings = replace(settings, counting=replace(NOTHING, **favour))
    found = attribute(shares, twenty_s, sets_up_to(4, n_different=2), settings, ANY)
    counts = found.speaker_counts
    assert max(counts, key=counts.get) == len(found.cast) == len(found.presence) == n_taken


def test_the_voices_of_a_set_need_not_be_those_of_another(twenty_s):
    sets = [set_of(5), set_of(4, 3), set_of(0, 1, 2, alike=0.5)]
    model = Shares({(5,): [0.2], (4, 3): [0.4, 0.5], (0, 1, 2): [0.4, 0.5, 0.001]})
    found = attribute(model, twenty_s, sets, ONE_BLOCK, ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[[4, 3]])
    np.testing.assert_allclose(talk_s(found), [8, 10], rtol=1e-3)


def test_what_is_parted_counts_though_the_next_set_may_not_be_tried(shares, twenty_s):
    """The second set parts a person in two, the third does so the more."""
    sets = [set_of(0), set_of(0, 1, alike=0.1), set_of(0, 1, 2, alike=0.7)]
    settings = replace(ONE_BLOCK, counting=replace(NOTHING, parted=2.0))
    found = attribute(shares, twenty_s, sets, settings, SpeakerBounds(1, 2))
    assert voices_asked(shares) == [(0,), (0, 1)]
    odds = np.exp(2.0 * (0.7 - 0.1))
    assert found.speaker_counts == pytest.approx({1: 1 / (1 + odds), 2: odds / (1 + odds)})


def test_by_default_a_set_is_judged_by_all_there_is_to_be_said(heard):
    sets = sets_up_to(4, n_different=2)
    found = attribute(Told(), heard, sets, AttributorSettings(), ANY)
    kinds = {}
    for which, one in enumerate(sets):
        cast = cast_of(heard, one.voice, one.talk_s)
        presence = attribute_cast(Told(), heard, cast, AttributorSettings()).presence
        kinds[len(one)] = evidence(sets, which, cast, presence, heard.speech)
    assert found.speaker_counts == pytest.approx(number_posterior(kinds, CountSettings()))
    assert len(found.cast) == 3


@pytest.mark.parametrize(
    ("bounds", "tried", "n_taken"),
    [
        (SpeakerBounds(1, 20), [1, 2, 3, 4], 3),
        (SpeakerBounds(1, 2), [1, 2], 2),
        (SpeakerBounds(3, 20), [3, 4], 3),
        (SpeakerBounds(3, 3), [3], 3),
        (SpeakerBounds(4, 4), [4], 4),
        (SpeakerBounds(5, 20), [5], 5),
        (SpeakerBounds(30, 30), [5], 5),  # there are no more
        (SpeakerBounds(1, 1), [1], 1),
    ],
)
def test_so_many_are_taken_as_may_be_however_much_they_say(
    shares, twenty_s, bounds, tried, n_taken
):
    told = []
    sets = sets_up_to(5, n_different=2)
    found = attribute(shares, twenty_s, sets, ONE_BLOCK, bounds, told.append)
    np.testing.assert_array_equal(found.cast.profile, EYE[:n_taken])
    assert len(found.presence) == n_taken
    assert list(found.speaker_counts) == [len(voices) for voices in voices_asked(shares)] == tried
    assert sum(found.speaker_counts.values()) == pytest.approx(1)
    assert told == sorted(told)
    assert len(told) == len(tried)
    assert told[-1] == 1


def test_of_one_set_alone_its_voice_is_taken_even_if_it_says_nothing(twenty_s):
    found = attribute(Shares({(0,): [1e-6]}), twenty_s, [set_of(0)], AttributorSettings(), ANY)
    np.testing.assert_array_equal(found.cast.profile, EYE[[0]])
    assert found.speaker_counts == {1: 1.0}


def test_everybody_who_talks_is_there_and_who_is_in_no_window_is_not(heard):
    for sets in (sets_up_to(3), sets_up_to(4), sets_up_to(4, n_different=1)):
        found = attribute(Told(), heard, sets, ONE_BLOCK, ANY)
        np.testing.assert_array_equal(found.cast.profile, EYE[:3])
        np.testing.assert_array_equal(found.presence > 0.5, talk_of(SPANS, N_FRAMES))


def test_twins_are_one_person_if_likeness_counts(twenty_s):
    twins = [set_of(0), set_of(0, 0, alike=0.5)]
    model = Shares({(0, 0): [0.3, 0.5], (0,): [0.5]})
    assert len(attribute(model, twenty_s, twins, ONE_BLOCK, ANY).cast) == 2
    for kind in ("rival", "alike"):
        counting = replace(BY_TALK, **{kind: -9.0})
        found = attribute(model, twenty_s, twins, replace(ONE_BLOCK, counting=counting), ANY)
        np.testing.assert_array_equal(found.cast.profile, EYE[[0]])
        np.testing.assert_allclose(talk_s(found), [10], rtol=1e-3)


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
    profiles = torch.cat([scenes.profile for scenes in model.asked])
    assert profiles.shape[:2] == (3, MOST_IN_BLOCK)
    middles = [N_FRAMES // 6, N_FRAMES // 2, 5 * N_FRAMES // 6]
    for third, profile in enumerate(profiles):
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
    profiles = torch.cat([scenes.profile for scenes in model.asked])
    assert len(profiles) == 3
    for third, profile in enumerate(profiles):
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
        ({"window_weight": -0.1}, "window_weight = -0.1; expected 0 to 1"),
        ({"window_weight": 1.5}, "window_weight = 1.5; expected 0 to 1"),
        ({"window_weight": float("nan")}, "window_weight = nan; expected 0 to 1"),
        ({"least_speech": -0.1}, "least_speech = -0.1; expected 0 to 1"),
        ({"least_speech": 1.01}, "least_speech = 1.01; expected 0 to 1"),
        ({"least_speech": float("nan")}, "least_speech = nan; expected 0 to 1"),
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
