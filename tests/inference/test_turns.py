from itertools import combinations

import numpy as np
import pytest
from pyannote.core import Segment

from diarize.inference.stitch import Stitched
from diarize.inference.turns import TurnSettings, active_speakers, talking, to_turns
from diarize.models.contract import Activity

SETTINGS = TurnSettings(
    speech_threshold=0.4,
    overlap_threshold=0.3,
    speaker_floor=0.02,
    shortest_gap_s=0.1,
    shortest_turn_s=0.05,
)
HOP_S = 0.02
START_S = 0.01


def stitched(posterior, speech, overlap):
    return Stitched(np.array(posterior), np.array(speech), np.array(overlap))


def rows(*patterns):
    """Speakers on and off, a character a frame: `#` is on."""
    return np.array([[character == "#" for character in pattern] for pattern in patterns])


def turns_of(active, duration_s=None, settings=SETTINGS, posterior=None, **options):
    names = tuple("ABC"[: len(active)])
    posterior = active.astype(float) if posterior is None else np.asarray(posterior)
    activity = Activity(posterior, HOP_S, names, START_S)
    duration_s = START_S + HOP_S * active.shape[1] + 0.01 if duration_s is None else duration_s
    return to_turns(activity, active, settings, duration_s, "meeting", **options)


def spans(turns):
    return [
        (label, round(turn.start, 3), round(turn.end, 3))
        for turn, _, label in turns.annotation.itertracks(yield_label=True)
    ]


def test_how_many_talk_is_read_from_speech_and_overlap_and_who_from_the_posterior():
    #                 silence  one   one   two   two
    heard = stitched(
        [[0.50, 0.30, 0.10, 0.50, 0.20], [0.30, 0.20, 0.15, 0.10, 0.30], [0.0, 0.0, 0.1, 0.4, 0.3]],
        [0.40, 0.41, 0.90, 0.90, 0.90],
        [0.90, 0.30, 0.00, 0.31, 0.80],
    )
    expected = rows(".#.#.", "..#.#", "...##")
    np.testing.assert_array_equal(active_speakers(heard, SETTINGS), expected)


def test_a_second_speaker_who_is_improbable_stays_off():
    heard = stitched([[0.9, 0.9], [0.02, 0.021]], [0.9, 0.9], [0.9, 0.9])
    assert active_speakers(heard, SETTINGS).tolist() == [[True, True], [False, True]]


def test_exclusive_is_never_two_at_once():
    generator = np.random.default_rng(0)
    heard = stitched(generator.random((4, 200)), generator.random(200), generator.random(200))
    some = active_speakers(heard, SETTINGS).any(axis=0)
    alone = active_speakers(heard, SETTINGS, exclusive=True)
    assert alone.sum(axis=0).max() == 1
    np.testing.assert_array_equal(alone.any(axis=0), some)


def test_one_speaker_never_overlaps_and_none_is_no_trouble():
    heard = stitched([[0.9, 0.9]], [0.9, 0.1], [0.9, 0.9])
    assert active_speakers(heard, SETTINGS).tolist() == [[True, False]]
    nobody = stitched(np.zeros((0, 2)), [0.9, 0.1], [0.9, 0.9])
    assert active_speakers(nobody, SETTINGS).shape == (0, 2)


def test_turns_lie_where_their_frames_do():
    assert spans(turns_of(rows("...####....", ".....####.."))) == [
        ("A", 0.07, 0.15),
        ("B", 0.11, 0.19),
    ]


def test_a_short_pause_is_talked_over_and_a_longer_one_is_not():
    # four frames are 0.08 s, five are 0.1 s
    assert spans(turns_of(rows(".####....####."))) == [("A", 0.03, 0.27)]
    assert spans(turns_of(rows(".####.....####."))) == [("A", 0.03, 0.11), ("A", 0.21, 0.29)]


def test_a_short_turn_is_dropped_after_pauses_are_closed():
    # two frames are 0.04 s
    assert spans(turns_of(rows(".##......."))) == []
    assert spans(turns_of(rows(".###......"))) == [("A", 0.03, 0.09)]
    assert spans(turns_of(rows(".#...#...."))) == [("A", 0.03, 0.13)]


def test_turns_at_the_edges_reach_the_edges_of_the_recording():
    assert spans(turns_of(rows("####......####"), duration_s=0.3047)) == [
        ("A", 0.0, 0.09),
        ("A", 0.21, 0.305),
    ]


@pytest.mark.parametrize("duration_s", [0.001, 0.03, 0.1, 0.2])
@pytest.mark.parametrize("pattern", ["##########", ".........#", "#.....#...", "#.#.#.#.##"])
def test_no_turn_leaves_a_recording_that_ends_before_its_frames_do(duration_s, pattern):
    settings = TurnSettings(shortest_gap_s=0.0, shortest_turn_s=0.0)
    turns = turns_of(rows(pattern), duration_s, settings)
    assert len(turns.probability) == len(turns.annotation)
    for turn, _ in turns.annotation.itertracks():
        assert 0 <= turn.start < turn.end <= duration_s


def test_a_pause_filled_by_another_is_talked_over_unless_exclusive():
    active = rows(".####...####.", ".....###.....")
    assert spans(turns_of(active)) == [("A", 0.03, 0.25), ("B", 0.11, 0.17)]
    assert spans(turns_of(active, exclusive=True)) == [
        ("A", 0.03, 0.11),
        ("B", 0.11, 0.17),
        ("A", 0.17, 0.25),
    ]


def test_exclusive_still_closes_a_pause_in_which_nobody_talks():
    active = rows(".####...####.", ".............")
    assert spans(turns_of(active, exclusive=True)) == [("A", 0.03, 0.25)]


def test_exclusive_turns_never_overlap_whatever_is_heard():
    generator = np.random.default_rng(0)
    who = np.repeat(generator.integers(-1, 3, 150), generator.integers(1, 9, 150))
    active = who == np.arange(3)[:, None]
    turns = turns_of(active, exclusive=True)
    assert len(turns.annotation) > 50
    for one, other in combinations(turns.annotation.get_timeline(), 2):
        assert not one & other


def test_a_turn_is_as_probable_as_its_frames_on_average_pauses_and_all():
    posterior = [[0.0, 0.5, 0.7, 0.9, 0.1, 0.8, 0.6, 0.0]]
    turns = turns_of(rows(".###.##."), posterior=posterior)
    assert turns.probability == {(Segment(0.03, 0.15), "A"): pytest.approx(0.6)}


def test_every_turn_has_its_probability_and_the_recording_its_name():
    turns = turns_of(rows("###...###...........###", "..####......######....."))
    tracks = {(turn, track) for turn, track in turns.annotation.itertracks()}
    assert turns.probability.keys() == tracks
    assert turns.annotation.uri == "meeting"


def test_the_same_twice_is_the_same():
    generator = np.random.default_rng(0)
    heard = stitched(
        generator.integers(0, 3, (3, 300)) / 2, generator.random(300), generator.random(300)
    )
    once, again = (turns_of(active_speakers(heard, SETTINGS)) for _ in range(2))
    assert spans(once) == spans(again)
    assert once.probability == again.probability


def test_nobody_has_no_turn():
    assert spans(turns_of(np.zeros((0, 5), bool))) == []
    assert spans(turns_of(rows(".....", "....."))) == []


def test_whoever_is_more_probable_than_the_threshold_talks_however_many_they_are():
    presence = np.array([[0.9, 0.4, 0.1], [0.8, 0.41, 0.1], [0.7, 0.3, 0.9]])
    np.testing.assert_array_equal(talking(presence, 0.4), rows("#..", "##.", "#.#"))


def test_with_exclusive_only_the_most_probable_of_them_talks():
    presence = np.array([[0.9, 0.3, 0.5], [0.8, 0.2, 0.5]])
    np.testing.assert_array_equal(talking(presence, 0.4, exclusive=True), rows("#.#", "..."))


@pytest.mark.parametrize("exclusive", [False, True])
def test_without_voices_nobody_talks(exclusive):
    assert talking(np.zeros((0, 4)), 0.4, exclusive).shape == (0, 4)


def test_who_must_be_there_is_on_at_his_most_probable_moments():
    presence = np.array([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.3, 0.2], [0.0, 0.01, 0.0, 0.0]])
    for least in (0, 1):
        assert (
            talking(presence, 0.5, least=least).tolist()
            == [[True] * 2 + [False] * 2] + [[False] * 4] * 2
        )
    found = talking(presence, 0.5, least=3)
    assert found[1].tolist() == [False, False, True, False]
    assert not found[2].any()  # nowhere likelier than one in fifty


def test_of_those_who_must_be_there_the_likeliest_comes_first_and_alone_if_told_so():
    presence = np.array([[0.9, 0.6], [0.2, 0.1], [0.1, 0.4]])
    assert talking(presence, 0.5, least=2).any(axis=1).tolist() == [True, False, True]
    alone = talking(presence, 0.5, exclusive=True, least=2)
    assert alone.tolist() == [[True, False], [False, False], [False, True]]
