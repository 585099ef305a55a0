"""The authors' protocol and the clean one, on turns whose errors can be counted by hand."""

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.scoring.pairing import Pair
from diarize.scoring.two_protocols import protocol_grids, rows_json, score_row
from diarize.scoring.whole_seconds import whole_seconds, within_speech


def turns(**spans):
    made = Annotation(uri="call")
    for label, own in spans.items():
        for start, end in own:
            made[Segment(start, end), f"{label}{start}"] = label
    return made


def pair(truth, found, name="call", posterior=None):
    return Pair(name, truth, found, Timeline([Segment(0, 20)], uri=name), posterior)


def listed(annotation):
    return [(label, *segment) for segment, _, label in annotation.itertracks(yield_label=True)]


def test_ends_are_rounded_and_gaps_of_a_second_closed():
    made = whole_seconds(turns(ann=[(0.4, 2.6), (3.6, 5.1), (7.2, 8.9)]))
    assert listed(made) == [("ann", 0, 5), ("ann", 7, 9)]


def test_each_speaker_s_gaps_are_his_own():
    made = whole_seconds(turns(ann=[(0, 2), (3, 4)], bob=[(2, 3)]))
    assert sorted(listed(made)) == [("ann", 0, 4), ("bob", 2, 3)]


def test_a_turn_that_rounds_to_nothing_is_gone():
    assert not whole_seconds(turns(ann=[(3.1, 3.4)]))


def test_what_is_said_in_silence_is_left_out_where_silence_is_told():
    truth = turns(ann=[(1, 3)], bob=[(2, 5)])
    assert listed(within_speech(turns(x=[(0, 9)]), truth)) == [("x", 1, 5)]


def test_the_authors_protocol_forgives_what_rounds_away():
    truth, found = turns(ann=[(0.3, 5.2)], bob=[(6.8, 10.4)]), turns(a=[(0, 4.8)], b=[(7.3, 10)])
    row = score_row("ours", "authors", "silence", [pair(truth, found)])
    assert row.missed.value == row.der.value == 0
    assert row.correct.value == 1
    clean = score_row("ours", "clean", "nothing", [pair(truth, found)])
    assert clean.missed.value == pytest.approx((0.4 + 0.5 + 0.4) / 8.5)
    assert clean.false_alarm.value == pytest.approx(0.3 / 8.5)


def test_shares_are_of_the_reference_s_speaker_seconds():
    truth = turns(ann=[(0, 10)], bob=[(8, 12)])
    found = turns(a=[(0, 9)], b=[(9, 11), (13, 15)])
    row = score_row("ours", "clean", "nothing", [pair(truth, found)])
    # 14 speaker-seconds: 8 to 9 one of two is missed, 9 to 10 too, 11 to 12 all
    assert row.missed.value == pytest.approx(3 / 14)
    assert row.correct.value == pytest.approx(11 / 14)
    assert row.confusion.value == 0
    assert row.false_alarm.value == pytest.approx(2 / 14)
    assert row.der.value == pytest.approx(5 / 14)


def test_false_alarms_in_silence_count_in_the_clean_protocol_alone():
    truth, found = turns(ann=[(0, 5)]), turns(a=[(0, 10)])
    authors, clean = (score_row("x", one, "", [pair(truth, found)]) for one in ("authors", "clean"))
    assert authors.false_alarm.value == 0
    assert clean.false_alarm.value == 1


def test_correlation_is_with_the_posterior_and_of_the_clean_protocol():
    truth, found = turns(ann=[(0, 10)]), turns(a=[(0, 9)])
    exact = np.repeat([[1.0, 0.0]], 100, axis=1)
    given = [pair(truth, found, posterior=Activity(exact, 0.1, ("a",)))]
    assert score_row("x", "clean", "", given).correlation.value == pytest.approx(1.0)
    assert score_row("x", "authors", "", given).correlation is None


def test_several_recordings_have_an_interval_and_one_has_none():
    good = pair(turns(ann=[(0, 10)]), turns(a=[(0, 10)]), "good")
    bad = pair(turns(ann=[(0, 10)]), turns(a=[(0, 5)]), "bad")
    row = score_row("x", "clean", "", [good, bad])
    assert row.missed.value == 0.25
    assert (row.missed.interval.low, row.missed.interval.high) == (0.0, 0.5)
    assert score_row("x", "clean", "", [bad]).missed.interval is None


def test_the_tables_have_a_row_a_system_and_json_no_nan():
    one = pair(turns(ann=[(0, 10)]), turns(a=[(0, 10)]))
    rows = [score_row("x", protocol, "silence", [one]) for protocol in ("authors", "clean")]
    grids = protocol_grids(rows)
    assert [grid.rows[0][:5] for grid in grids] == [("x", "silence", "1", "0.00", "100.00")] * 2
    assert rows_json(rows)[1]["correct"]["value"] == 1.0


def test_a_protocol_that_is_none_is_refused():
    with pytest.raises(BadCall, match="authors or clean"):
        score_row("x", "mine", "", [])
