"""Which sets of voices are tried, what speaks for each, and how probable each number is."""

from dataclasses import astuple, fields, replace

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.features.segmentation import HOP_S
from diarize.inference.cluster import SpeakerBounds, SpeakerSet
from diarize.inference.counting import (
    LEAST_S,
    NOBODY_LEFT,
    NOBODY_LIKE,
    CountEvidence,
    CountSettings,
    evidence,
    number_posterior,
    number_that_seems,
    sets_to_try,
)
from diarize.inference.scenes import Cast

KINDS = [field.name for field in fields(CountEvidence)]
NOTHING = CountSettings(**dict.fromkeys(KINDS, 0.0))
NO_EVIDENCE = CountEvidence(**dict.fromkeys(KINDS, 0.0))
SOME_EVIDENCE = CountEvidence(
    more=1.0,
    fewer=2.0,
    alike=-0.25,
    parted=0.5,
    least_expected_s=3.0,
    least_sure=-0.75,
    rival=0.125,
    unexplained=0.0625,
)
ANY = SpeakerBounds()


def set_of(*alike):
    """A set of speakers who are so much like those before them; the first is like nobody."""
    size = len(alike) + 1
    voice = np.eye(16, dtype=np.float32)[:size]
    return SpeakerSet(voice, np.arange(size, 0.0, -1), np.array([-1.0, *alike]))


def sets_that_stop_at(n_different, n_sets=6):
    """Sets of 1 to so many speakers, of whom that many seem to be different people."""
    return [
        set_of(*np.where(np.arange(1, size) < n_different, -0.25, 0.25))
        for size in range(1, n_sets + 1)
    ]


def cast_of(*profile):
    profile = np.array(profile, np.float32)
    return Cast(profile, np.ones(len(profile), np.float32), np.zeros((len(profile), 10)))


def found_for(sets, which, profile=None, presence=None, speech=None):
    """The evidence for a set of whom, unless told otherwise, all talk in each of ten frames."""
    size = len(sets[which])
    profile = np.eye(16)[:size] if profile is None else profile
    presence = np.ones((size, 10)) if presence is None else presence
    speech = np.ones(presence.shape[1]) if speech is None else speech
    return evidence(sets, which, cast_of(*profile), presence, speech)


@pytest.mark.parametrize("n_different", range(1, 7))
def test_as_many_people_seem_to_be_there_as_the_greatest_set_that_differs_holds(n_different):
    assert number_that_seems(sets_that_stop_at(n_different)) == n_different


def test_a_greater_set_that_differs_counts_whatever_a_smaller_one_does():
    sets = [set_of(), set_of(0.1), set_of(-0.1, -0.2), set_of(-0.1, 0.3, -0.2)]
    assert number_that_seems(sets) == 3


def test_as_alike_as_two_people_may_be_is_no_longer_different():
    assert number_that_seems([set_of(), set_of(0.0)]) == 1


def test_if_no_set_differs_there_seems_to_be_one_person():
    voice = np.eye(16, dtype=np.float32)[:1]
    assert number_that_seems([SpeakerSet(voice, np.ones(1), np.array([0.5])), set_of(0.5)]) == 1


def test_without_sets_nobody_seems_to_be_there_and_nothing_is_tried():
    assert number_that_seems([]) == 0
    for bounds in (ANY, SpeakerBounds(3, 3), SpeakerBounds(30, 30)):
        assert sets_to_try([], bounds) == []


@pytest.mark.parametrize(
    ("n_different", "bounds", "sizes"),
    [
        (3, ANY, [2, 3, 4, 5]),
        (1, ANY, [1, 2, 3]),  # there is no smaller set
        (2, ANY, [1, 2, 3, 4]),
        (5, ANY, [4, 5, 6]),  # there are but six
        (6, ANY, [5, 6]),
        (3, SpeakerBounds(1, 4), [2, 3, 4]),
        (3, SpeakerBounds(3, 20), [3, 4, 5]),
        (3, SpeakerBounds(3, 4), [3, 4]),
        (3, SpeakerBounds(3, 3), [3]),
        (3, SpeakerBounds(2, 2), [2]),
        (3, SpeakerBounds(1, 1), [1]),
        (6, SpeakerBounds(1, 2), [2]),  # all too many: the nearest
        (1, SpeakerBounds(4, 20), [4]),  # all too few: the nearest
        (3, SpeakerBounds(5, 20), [5]),
        (3, SpeakerBounds(6, 6), [6]),
        (3, SpeakerBounds(7, 20), [6]),  # as near as there are sets
        (3, SpeakerBounds(30, 30), [6]),
    ],
)
def test_the_sets_around_what_it_seems_are_tried_within_bounds(n_different, bounds, sizes):
    sets = sets_that_stop_at(n_different)
    assert [len(sets[which]) for which in sets_to_try(sets, bounds)] == sizes


def test_how_far_around_is_chosen():
    sets = sets_that_stop_at(4, n_sets=9)
    assert sets_to_try(sets, ANY, fewer=0, more=0) == [3]
    assert sets_to_try(sets, ANY, fewer=3, more=1) == [0, 1, 2, 3, 4]
    assert sets_to_try(sets, ANY, fewer=99, more=99) == list(range(9))


@pytest.mark.parametrize("n_sets", range(1, 6))
def test_something_is_always_tried_and_only_what_may_be_if_it_is_there(n_sets):
    for n_different in range(1, n_sets + 1):
        sets = sets_that_stop_at(n_different, n_sets)
        for least in range(1, 8):
            for most in range(least, 8):
                chosen = sets_to_try(sets, SpeakerBounds(least, most))
                assert chosen == list(range(chosen[0], chosen[-1] + 1))
                sizes = [which + 1 for which in chosen]
                if least > n_sets:
                    assert sizes == [n_sets]
                else:
                    assert least <= sizes[0] <= sizes[-1] <= min(most, n_sets)
                if least <= n_different <= most:
                    assert n_different in sizes


def test_evidence_is_what_can_be_told_by_hand():
    sets = [set_of(), set_of(-0.4), set_of(-0.3, 0.1), set_of(-0.2, 0.45, 0.2), set_of(1, 1, 1, 1)]
    presence = np.zeros((3, 600))
    presence[0, :200] = 0.9
    presence[1, 100:300] = 0.5
    presence[2, 400:460] = 1.0
    speech = np.zeros(600)
    speech[:400], speech[400:500] = 1.0, 0.5
    found = evidence(sets, 2, cast_of([1.0, 0.0], [0.6, 0.8], [0.0, -1.0]), presence, speech)
    # nobody of them: 0.1, 0.05, 0.5 and 1 of the first four hundred frames, then 0, and 1 from 460
    unexplained = (100 * (0.1 + 0.05 + 0.5 + 1.0) + 0.5 * 40) / (400 + 0.5 * 100)
    assert astuple(found) == pytest.approx(
        (
            1.0,  # two seem to be different people, there are three
            0.0,
            0.1,
            0.45,  # of the next set
            np.log(60 * HOP_S),  # the third: 180, 100 and 60 frames
            np.log(0.5),  # the second: 0.9, 0.5 and 1
            0.6,  # the first and the second: 0.6, 0 and -0.8
            unexplained,
        )
    )


@pytest.mark.parametrize(
    ("which", "more", "fewer"), [(0, 0, 2), (1, 0, 1), (2, 0, 0), (3, 1, 0), (5, 3, 0)]
)
def test_a_set_holds_more_or_fewer_than_seem_to_be_there(which, more, fewer):
    found = found_for(sets_that_stop_at(3), which)
    assert (found.more, found.fewer) == (more, fewer)


def test_how_alike_two_are_counts_from_where_there_is_only_one():
    assert found_for([set_of()], 0).alike == NOBODY_LIKE
    assert found_for([set_of(), set_of(-0.9)], 1).alike == NOBODY_LIKE
    assert found_for([set_of(), set_of(-0.59)], 1).alike == -0.59
    assert found_for([set_of(), set_of(-0.1), set_of(0.2, -0.3)], 2).alike == 0.2


def test_what_is_parted_is_told_by_the_next_set_however_unlike_its_voices_are():
    sets = [set_of(), set_of(-0.9), set_of(-0.8, 0.25), set_of(0.5, 0.75, 0.5)]
    assert [found_for(sets, which).parted for which in range(3)] == [-0.9, 0.25, 0.75]


@pytest.mark.parametrize("n_sets", [1, 2, 5])
def test_of_the_greatest_set_nobody_is_left_to_be_parted(n_sets):
    sets = sets_that_stop_at(1, n_sets)
    assert found_for(sets, n_sets - 1).parted == NOBODY_LEFT


def test_the_least_expected_and_the_least_sure_may_be_two_people():
    presence = np.array([[0.25] * 100, [1.0] * 10 + [0.0] * 90, [0.5] * 100])
    found = found_for(sets_that_stop_at(3), 2, presence=presence)
    assert found.least_expected_s == pytest.approx(np.log(10 * HOP_S))
    assert found.least_sure == pytest.approx(np.log(0.25))


@pytest.mark.parametrize("presence", [0.0, 1e-9, 0.001])
def test_who_never_talks_is_expected_to_for_the_least_that_counts(presence):
    found = found_for([set_of()], 0, presence=np.full((1, 100), presence))
    assert found.least_expected_s == pytest.approx(np.log(LEAST_S))
    assert np.isfinite(astuple(found)).all()
    assert found.least_sure <= 0


def test_a_rival_is_the_nearest_of_all_pairs_and_nobody_is_his_own():
    far_apart = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [-1.0, 0.0]])
    four = found_for(sets_that_stop_at(2), 3, profile=far_apart)
    assert four.rival == pytest.approx(0.8)
    assert found_for([set_of()], 0).rival == 0
    opposed = found_for([set_of(), set_of(-0.9)], 1, profile=[[1.0, 0.0], [-1.0, 0.0]])
    assert opposed.rival == 0
    twins = found_for([set_of(), set_of(0.5)], 1, profile=[[0.6, 0.8], [0.6, 0.8]])
    assert twins.rival == pytest.approx(1)


def test_all_speech_is_unexplained_or_none_or_what_two_leave():
    sets, all_along = sets_that_stop_at(2), np.ones(200)
    nobody, both = np.zeros((2, 200)), np.full((2, 200), 0.5)
    assert found_for(sets, 1, presence=nobody, speech=all_along).unexplained == 1
    assert found_for(sets, 1, presence=1 - nobody, speech=all_along).unexplained == 0
    assert found_for(sets, 1, presence=both, speech=all_along).unexplained == pytest.approx(0.25)
    faint = found_for(sets, 1, presence=both, speech=0.5 * all_along)
    assert faint.unexplained == pytest.approx(0.25)  # a share of what speech there is


def test_without_speech_nothing_is_unexplained_and_half_a_frame_is_not_all():
    silent, clicks = np.zeros(200), np.zeros(200)
    clicks[7] = 0.5
    nobody = np.zeros((1, 200))
    assert found_for([set_of()], 0, presence=nobody, speech=silent).unexplained == 0
    assert found_for([set_of()], 0, presence=nobody, speech=clicks).unexplained == 0.5


def test_frames_in_single_precision_are_added_up_in_double():
    """Three hours of a twentieth."""
    n_frames = 640_000
    presence = np.full((1, n_frames), 0.05, np.float32)
    found = found_for([set_of()], 0, presence=presence, speech=np.ones(n_frames, np.float32))
    assert found.least_expected_s == pytest.approx(np.log(32000 * HOP_S), abs=1e-6)
    assert found.least_sure == pytest.approx(np.log(0.05), abs=1e-6)
    assert found.unexplained == pytest.approx(0.95, abs=1e-4)


def test_the_model_is_least_sure_of_somebody_who_says_nothing():
    presence = np.array([[1.0] * 100, [0.0] * 100])
    found = found_for([set_of(), set_of(-0.5)], 1, presence=presence)
    assert found.least_sure == pytest.approx(np.log(0.02))


def test_settings_are_what_each_kind_adds_to_the_log_odds():
    assert [field.name for field in fields(CountSettings)] == KINDS
    assert NOTHING.log_odds(SOME_EVIDENCE) == 0
    for kind in KINDS:
        alone = replace(NOTHING, **{kind: 2.0})
        assert alone.log_odds(SOME_EVIDENCE) == 2 * getattr(SOME_EVIDENCE, kind)
    settings = CountSettings(*map(float, range(1, 9)))
    by_hand = 1 * 1 + 2 * 2 - 3 * 0.25 + 4 * 0.5 + 5 * 3 - 6 * 0.75 + 7 * 0.125 + 8 * 0.0625
    assert settings.log_odds(SOME_EVIDENCE) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("fewer", -1),
        ("parted", 0.5),
        ("least_expected_s", 1),
        ("least_sure", 0.5),
        ("unexplained", -0.1),
    ],
)
def test_by_default_what_speaks_for_a_set_makes_it_likelier(kind, by):
    better = replace(SOME_EVIDENCE, **{kind: getattr(SOME_EVIDENCE, kind) + by})
    counts = number_posterior({2: SOME_EVIDENCE, 3: better}, CountSettings())
    assert counts[3] > 0.5 > counts[2]


def test_probabilities_are_in_the_proportion_of_the_odds_and_sum_to_one():
    found = {
        size: replace(NO_EVIDENCE, more=np.log(odds)) for size, odds in ((2, 1), (3, 3), (4, 4))
    }
    counts = number_posterior(found, replace(NOTHING, more=1.0))
    assert counts == pytest.approx({2: 1 / 8, 3: 3 / 8, 4: 4 / 8})
    squared = number_posterior(found, replace(NOTHING, more=2.0))
    assert squared == pytest.approx({2: 1 / 26, 3: 9 / 26, 4: 16 / 26})
    assert list(counts) == [2, 3, 4]
    assert all(type(share) is float for share in counts.values())


def test_what_all_sets_have_in_common_does_not_count():
    found = {size: replace(SOME_EVIDENCE, rival=0.1 * size) for size in (1, 2, 3)}
    shifted = {size: replace(one, unexplained=1.0, parted=-3.0) for size, one in found.items()}
    settings = CountSettings()
    assert number_posterior(shifted, settings) == pytest.approx(number_posterior(found, settings))


def test_the_one_that_was_tried_is_certain_and_equals_are_equally_probable():
    assert number_posterior({30: SOME_EVIDENCE}, CountSettings()) == {30: 1.0}
    equals = number_posterior(dict.fromkeys((1, 2, 3, 4), SOME_EVIDENCE), CountSettings())
    assert equals == {1: 0.25, 2: 0.25, 3: 0.25, 4: 0.25}


@pytest.mark.parametrize("odds", [1e4, -1e4])
def test_odds_beyond_measure_stay_probabilities(odds):
    found = {1: NO_EVIDENCE, 2: replace(NO_EVIDENCE, more=1.0)}
    counts = number_posterior(found, replace(NOTHING, more=odds))
    assert counts == {1: float(odds < 0), 2: float(odds > 0)}


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_found_numbers_have_probabilities_that_sum_to_one(seed):
    chance = np.random.default_rng(seed)
    found = {}
    sets = sets_that_stop_at(3)
    for which in sets_to_try(sets, ANY):
        presence = chance.uniform(0, 1, (which + 1, 400)) ** chance.uniform(0.1, 30)
        profile = np.linalg.qr(chance.normal(size=(16, 16)))[0][: which + 1]
        speech = chance.uniform(0, 1, 400)
        found[which + 1] = found_for(sets, which, profile, presence, speech)
        assert np.isfinite(astuple(found[which + 1])).all()
        assert found[which + 1].least_sure <= 1e-12
        assert 0 <= found[which + 1].unexplained <= 1
    counts = number_posterior(found, CountSettings())
    assert list(counts) == [2, 3, 4, 5]
    assert sum(counts.values()) == pytest.approx(1)
    assert min(counts.values()) >= 0


def test_if_no_set_was_tried_there_is_nothing_to_choose_from():
    with pytest.raises(BadCall, match="no set of voices was tried; one at least is wanted"):
        number_posterior({}, CountSettings())
