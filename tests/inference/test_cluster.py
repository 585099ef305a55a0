import numpy as np
import pytest

from diarize.inference import cluster
from diarize.inference.cluster import (
    ClusterSettings,
    SpeakerBounds,
    Units,
    find_speakers,
    speaker_sets,
)

N_DIMENSIONS = 64
ANY = SpeakerBounds()


def embed(statistic):
    """A statistic is a count and a sum of vectors; the embedding is the direction of the sum."""
    total = statistic[:, 1:]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return total / np.where(length > 0, length, 1.0)


def units_of(vectors, talk_s=2.0, window=None, place=None):
    """Units of these vectors, by default each from a window of its own."""
    vectors = np.asarray(vectors, dtype=np.float64)
    talk_s = np.broadcast_to(np.asarray(talk_s, dtype=np.float64), len(vectors)).copy()
    return Units(
        statistic=np.column_stack([talk_s, vectors * talk_s[:, None]]),
        talk_s=talk_s,
        window=np.arange(len(vectors)) if window is None else np.asarray(window),
        place=np.zeros(len(vectors), np.int64) if place is None else np.asarray(place),
    )


def people(n_people):
    """That many directions, none like another."""
    directions = np.random.default_rng(n_people).normal(size=(N_DIMENSIONS, n_people))
    return np.linalg.qr(directions)[0].T


def meeting(n_units, noise=0.08, seed=0):
    """Units of people who say so many each, in a random order, and the voices of the people."""
    voices = people(len(n_units))
    generator = np.random.default_rng(seed)
    who = generator.permutation(np.repeat(np.arange(len(n_units)), n_units))
    return units_of(voices[who] + noise * generator.normal(size=(len(who), N_DIMENSIONS))), voices


def at_angle(cosine):
    """Two vectors in a plane, so much alike."""
    return np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine**2)]])


@pytest.mark.parametrize("n_people", [1, 2, 5, 20])
def test_everybody_is_found_and_who_says_most_comes_first(n_people):
    units, voices = meeting(list(range(8 + n_people, 8, -1)))
    found = find_speakers(units, embed, ANY)
    assert found.shape == (n_people, N_DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert (found @ voices.T).argmax(axis=1).tolist() == list(range(n_people))
    assert (found * voices).sum(axis=1).min() > 0.95


@pytest.mark.parametrize(
    ("bounds", "n_found"),
    [
        (SpeakerBounds(1, 20), 4),
        (SpeakerBounds(1, 3), 3),
        (SpeakerBounds(1, 1), 1),
        (SpeakerBounds(4, 4), 4),
        (SpeakerBounds(2, 2), 2),
        (SpeakerBounds(7, 20), 7),
        (SpeakerBounds(9, 9), 9),
        (SpeakerBounds(40, 40), 40),
        (SpeakerBounds(41, 50), 40),  # there are only forty units
    ],
)
def test_the_bounds_hold_whatever_the_voices_say(bounds, n_found):
    units, _ = meeting([10, 10, 10, 10])
    found = find_speakers(units, embed, bounds)
    assert len(found) == n_found
    assert np.isfinite(found).all()


def test_too_many_are_made_fewer_by_moving_the_least_speech_the_least_far():
    pair = np.column_stack([at_angle(0.3), [0.0, 0.0]])
    third = np.array([[0.0, 0.0, 1.0]])
    # the first two are more alike, but say much: 30 s * 0.7 against 1.9 s * 1.0
    units = units_of(np.concatenate([pair, third]), talk_s=[60.0, 60.0, 2.0])
    found = find_speakers(units, embed, SpeakerBounds(1, 2))
    assert (found @ pair.T).max(axis=1).min() > 0.99
    assert found[0] @ found[1] < 0.35


def test_who_hardly_speaks_is_nobody_unless_asked_for():
    voices = people(3)
    units = units_of(np.repeat(voices, [20, 20, 1], axis=0), talk_s=[2.0] * 40 + [1.0])
    assert len(find_speakers(units, embed, ANY)) == 2
    asked = find_speakers(units, embed, SpeakerBounds(3, 3))
    np.testing.assert_allclose(asked @ voices.T, np.eye(3), atol=1e-9)


def test_in_a_short_recording_little_is_enough():
    voices = people(2)
    assert len(find_speakers(units_of(voices, talk_s=[3.0, 0.6]), embed, ANY)) == 2
    assert len(find_speakers(units_of(voices, talk_s=[3.0, 0.4]), embed, ANY)) == 1


@pytest.mark.parametrize(
    ("speech_s", "least_s"), [(1.0, 0.5), (30.0, 0.9), (60.0, 1.8), (3600.0, 2.0)]
)
def test_a_speaker_needs_a_share_of_the_speech_within_limits(speech_s, least_s):
    assert ClusterSettings().least_speaker_s(speech_s) == pytest.approx(least_s)


def test_the_more_speech_the_more_alike_two_voices_must_be_to_be_one():
    settings = ClusterSettings(
        brief_similarity=0.4, group_similarity=0.5, brief_s=1.0, steady_s=4.0
    )
    pair = at_angle(0.45)

    def n_found(talk_s):
        return len(find_speakers(units_of(pair, talk_s), embed, ANY, settings))

    # wanted: 0.4 up to 1 s, 0.45 at 2.5 s, 0.5 from 4 s on, by the shorter of the two
    assert [n_found(talk_s) for talk_s in (1.0, 2.4, 2.6, 4.0, 60.0)] == [1, 1, 2, 2, 2]
    assert n_found([60.0, 2.4]) == 1


def test_two_people_of_one_window_must_be_more_alike_to_be_one():
    settings = ClusterSettings(group_similarity=0.5, apart_similarity=0.2, unit_distance=0.3)
    pair = np.repeat(at_angle(0.58), 4, axis=0)
    window = [0, 1, 2, 3, 0, 1, 2, 3]

    def n_found(place, window=window):
        return len(find_speakers(units_of(pair, 2.0, window, place), embed, ANY, settings))

    assert n_found([0, 0, 0, 0, 1, 1, 1, 1]) == 2  # met in every window: 0.7 is wanted
    assert n_found([0, 1, 0, 1, 1, 0, 1, 0]) == 2  # whatever the places are called
    assert n_found([0, 0, 0, 0, 0, 0, 0, 0]) == 1  # one local speaker: 0.5 is wanted
    assert n_found([0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5, 6, 7]) == 1  # never met
    assert n_found([0, 0, 0, 0, 1, 0, 1, 0]) == 1  # as often one as two


def test_a_voice_is_that_of_all_its_speech_not_the_mean_of_its_parts():
    pair = at_angle(0.9)
    found = find_speakers(units_of(pair, talk_s=[9.0, 1.0]), embed, SpeakerBounds(1, 1))
    expected = 9 * pair[0] + pair[1]
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected))


def test_the_order_of_the_units_does_not_matter():
    units, _ = meeting([12, 9, 7, 5], noise=0.12)
    order = np.random.default_rng(1).permutation(len(units.talk_s))
    shuffled = Units(
        units.statistic[order], units.talk_s[order], units.window[order], units.place[order]
    )
    np.testing.assert_allclose(
        find_speakers(units, embed, ANY), find_speakers(shuffled, embed, ANY), atol=1e-9
    )


def test_the_units_are_left_as_they_were():
    units, _ = meeting([6, 6])
    before = units.statistic.copy(), units.talk_s.copy()
    find_speakers(units, embed, SpeakerBounds(1, 1))
    np.testing.assert_array_equal(units.statistic, before[0])
    np.testing.assert_array_equal(units.talk_s, before[1])


def test_a_long_recording_is_linked_in_blocks_and_everybody_is_still_found(monkeypatch):
    units, _ = meeting([30, 25, 20, 15])
    whole = find_speakers(units, embed, ANY)
    monkeypatch.setattr(cluster, "BLOCK_UNITS", 20)
    in_blocks = find_speakers(units, embed, ANY)
    assert len(in_blocks) == len(whole) == 4
    np.testing.assert_allclose(in_blocks, whole, atol=0.05)
    assert len(find_speakers(units, embed, SpeakerBounds(2, 2))) == 2


def test_groups_of_different_blocks_do_not_share_a_number(monkeypatch):
    monkeypatch.setattr(cluster, "BLOCK_UNITS", 4)
    group = cluster._link(people(10), 1, 0.5)
    assert sorted(group) == list(range(10))


def test_no_unit_is_no_speaker():
    assert find_speakers(units_of(np.zeros((0, 5))), embed, ANY).shape == (0, 5)


@pytest.mark.parametrize("bounds", [ANY, SpeakerBounds(3, 3)])
def test_one_unit_is_one_speaker(bounds):
    np.testing.assert_allclose(
        find_speakers(units_of([[0.0, 2.0]], talk_s=0.3), embed, bounds), [[0.0, 1.0]]
    )


@pytest.mark.parametrize("bounds", [ANY, SpeakerBounds(3, 5)])
def test_units_that_do_not_differ_are_one_speaker(bounds):
    found = find_speakers(units_of([[3.0, 4.0]] * 6), embed, bounds)
    np.testing.assert_allclose(found, [[0.6, 0.8]])


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_heard_voices_are_finite_and_within_bounds(seed):
    generator = np.random.default_rng(seed)
    n_units = int(generator.integers(1, 40))
    units = units_of(
        generator.normal(size=(n_units, 3)),
        generator.uniform(0.3, 3.4, n_units),
        np.sort(generator.integers(0, 6, n_units)),
        generator.integers(0, 3, n_units),
    )
    found = find_speakers(units, embed, SpeakerBounds(2, 4))
    assert np.isfinite(found).all()
    assert min(2, n_units) <= len(found) <= 4


def test_sets_go_from_one_speaker_to_all_that_could_be_told_apart():
    units, _ = meeting([12, 9, 7, 5])
    sets = speaker_sets(units, embed)
    assert [len(one) for one in sets] == list(range(1, len(sets) + 1))
    assert len(sets) >= 4
    for one in sets:
        np.testing.assert_allclose(np.linalg.norm(one.voice, axis=1), 1)
        assert (np.diff(one.talk_s) <= 0).all()
        assert one.talk_s.sum() == pytest.approx(sets[0].talk_s.sum())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [0.08, 0.2])
def test_where_the_search_stops_the_set_is_what_it_finds(seed, noise):
    units, _ = meeting([12, 9, 7, 5], noise, seed)
    different = [one for one in speaker_sets(units, embed) if one.all_differ]
    found = find_speakers(units, embed, SpeakerBounds(1, 99))
    assert len(found) == len(different[-1])
    np.testing.assert_allclose(different[-1].voice, found)


def test_how_alike_two_voices_of_a_set_are_tells_whether_they_are_one_person():
    settings = ClusterSettings(group_similarity=0.5, unit_distance=0.2)
    for cosine in (0.3, 0.7):
        one, two = speaker_sets(units_of(at_angle(cosine), 10.0), embed, settings=settings)
        assert two.alike.tolist() == pytest.approx([-1.0, cosine - 0.5])
        assert two.all_differ == (cosine < 0.5)
        assert one.alike.tolist() == [-1.0]  # there is nobody to be like


def test_finer_groups_tell_two_apart_whose_voices_a_linkage_joins():
    first, other = people(2)
    second = 0.6 * first + 0.8 * other  # a cosine of 0.6
    units = units_of([first, second] * 5)
    settings = ClusterSettings()
    assert [len(one) for one in speaker_sets(units, embed, settings=settings)] == [1]
    finer = speaker_sets(units, embed, settings=settings.finer)
    assert [len(one) for one in finer] == [1, 2]
    assert not finer[1].all_differ


def test_who_says_too_little_is_in_no_set_unless_less_is_asked_for():
    voices = people(3)
    units = units_of(np.repeat(voices, [20, 20, 1], axis=0), talk_s=[2.0] * 40 + [1.0])
    assert [len(one) for one in speaker_sets(units, embed)] == [1, 2]
    sets = speaker_sets(units, embed, least_s=0.9)
    assert [len(one) for one in sets] == [1, 2, 3]
    assert sets[2].talk_s.tolist() == pytest.approx([40.0, 40.0, 1.0])
    assert len(speaker_sets(units, embed, least_s=1e6)) == 1  # somebody there is


def test_no_units_give_no_sets_and_one_unit_gives_one():
    assert speaker_sets(units_of(np.zeros((0, 5))), embed) == []
    (only,) = speaker_sets(units_of([[0.0, 2.0]], talk_s=0.3), embed)
    np.testing.assert_allclose(only.voice, [[0.0, 1.0]])


def test_sets_leave_the_units_as_they_were():
    units, _ = meeting([6, 6])
    before = units.statistic.copy(), units.talk_s.copy()
    speaker_sets(units, embed)
    np.testing.assert_array_equal(units.statistic, before[0])
    np.testing.assert_array_equal(units.talk_s, before[1])


@pytest.mark.parametrize(
    ("least", "n_sets"),
    [
        (7, 7),
        (9, 9),
        (40, 40),
        (41, 40),  # there are only forty units
    ],
)
def test_sets_go_as_far_as_there_must_be_speakers_whatever_the_voices_say(least, n_sets):
    units, _ = meeting([10, 10, 10, 10])
    assert len(speaker_sets(units, embed)) < least
    sets = speaker_sets(units, embed, least=least)
    assert [len(one) for one in sets] == list(range(1, n_sets + 1))
    for one in sets:
        assert np.isfinite(one.voice).all()
        assert one.talk_s.sum() == pytest.approx(80.0)
    # and those are the speakers who are found if so many are asked for
    asked = find_speakers(units, embed, SpeakerBounds(least, least))
    np.testing.assert_allclose(sets[-1].voice, asked)


@pytest.mark.parametrize("least", [1, 2, 3, 4])
def test_if_as_many_were_told_apart_a_least_number_changes_nothing(least):
    units, _ = meeting([12, 9, 7, 5])
    as_it_is, asked = speaker_sets(units, embed), speaker_sets(units, embed, least=least)
    assert len(as_it_is) >= 4
    assert len(asked) == len(as_it_is)
    for one, other in zip(as_it_is, asked, strict=True):
        np.testing.assert_array_equal(one.voice, other.voice)
        np.testing.assert_array_equal(one.alike, other.alike)


def test_who_says_too_little_is_in_a_set_if_so_many_must_be_there():
    voices = people(3)
    units = units_of(np.repeat(voices, [20, 20, 1], axis=0), talk_s=[2.0] * 40 + [1.0])
    assert [len(one) for one in speaker_sets(units, embed, least=2)] == [1, 2]
    sets = speaker_sets(units, embed, least=3)
    assert [len(one) for one in sets] == [1, 2, 3]
    assert sets[2].talk_s.tolist() == pytest.approx([40.0, 40.0, 1.0])
    assert len(speaker_sets(units, embed, least_s=1e6, least=3)) == 3


def test_units_that_do_not_differ_are_one_set_however_many_must_be_there():
    (only,) = speaker_sets(units_of([[3.0, 4.0]] * 6), embed, least=3)
    np.testing.assert_allclose(only.voice, [[0.6, 0.8]])
    assert only.talk_s.tolist() == [12.0]
    assert speaker_sets(units_of(np.zeros((0, 5))), embed, least=3) == []


def test_many_must_be_there_in_a_long_recording_too(monkeypatch):
    units, _ = meeting([30, 25, 20, 15])
    monkeypatch.setattr(cluster, "BLOCK_UNITS", 20)
    assert len(speaker_sets(units, embed, least=12)) >= 12
