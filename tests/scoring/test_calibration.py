import csv
import io
import json
import math

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.scoring import frames
from diarize.scoring.calibration import calibration, together
from diarize.scoring.exports import csv_text, json_text
from diarize.scoring.pairing import Pair
from diarize.scoring.result import FAIR, FULL, score
from diarize.scoring.table import Facts, table_text
from diarize.scoring.turns import turns_of

FACTS = Facts("ref.rttm", "0123456789abcdef" * 4, "hyp.rttm", "the regions of x.uem")
REGION = np.array([[0.0, 1.0]])  # a hundred frames


def said(*records):
    return Annotation.from_records(
        (Segment(s, e), i, label) for i, (s, e, label) in enumerate(records)
    )


def turns(*records):
    return turns_of(said(*records))


def held(**rows):
    """A posterior that holds each value for a tenth of a second."""
    return Activity(np.array(list(rows.values())), 0.1, tuple(rows))


def counts(found):
    return {
        round(one.low, 1): (one.n_frames, one.n_true, round(one.mean_posterior, 6))
        for one in found.bins
        if one.n_frames
    }


def test_the_error_is_the_mean_distance_of_what_was_held_and_what_was_so():
    # 0-0.4 at 0.8, of which 0.1 is not so; 0.4-1 at 0.25, of which 0.2 is so
    truth = turns((0.1, 0.6, "ann"))
    found = calibration(truth, held(x=[0.8] * 4 + [0.25] * 6), REGION, {"x": "ann"})
    assert counts(found) == {0.2: (60, 20, 0.25), 0.8: (40, 30, 0.8)}
    low, high = 1 / 3 - 0.25, 0.8 - 0.75
    assert found.expected_error == pytest.approx(0.6 * low + 0.4 * high)
    assert found.max_error == pytest.approx(low)
    assert found.n_frames == 100


def test_what_is_certain_and_right_has_no_error():
    truth = turns((0.3, 0.7, "ann"))
    found = calibration(truth, held(x=[0.0] * 3 + [1.0] * 4 + [0.0] * 3), REGION, {"x": "ann"})
    assert counts(found) == {0.0: (60, 0, 0.0), 0.9: (40, 40, 1.0)}
    assert (found.expected_error, found.max_error) == (0, 0)


def test_certain_and_always_wrong_is_an_error_of_one():
    found = calibration(turns((0, 0.5, "ann")), held(x=[0.0] * 5 + [1.0] * 5), REGION, {"x": "ann"})
    assert (found.expected_error, found.max_error) == (1, 1)


def test_half_sure_of_what_is_half_so_is_calibrated_however_little_it_says():
    found = calibration(turns((0, 0.5, "ann")), held(x=[0.5] * 10), REGION, {"x": "ann"})
    assert found.expected_error == pytest.approx(0)


def test_a_tenth_belongs_to_the_bin_that_begins_there_and_one_to_the_last():
    posterior = held(x=[tenth / 10 for tenth in range(10)])
    found = calibration(turns((0, 1, "ann")), posterior, REGION, {"x": "ann"})
    assert [one.n_frames for one in found.bins] == [10] * 10
    sure = calibration(turns((0, 1, "ann")), held(x=[1.0] * 10), REGION, {"x": "ann"})
    assert [one.n_frames for one in sure.bins] == [0] * 9 + [100]


def test_somebody_found_who_is_not_there_is_never_so():
    truth = turns((0, 1, "ann"))
    found = calibration(truth, held(x=[1.0] * 10, y=[0.65] * 10), REGION, {"x": "ann"})
    assert counts(found) == {0.6: (100, 0, 0.65), 0.9: (100, 100, 1.0)}
    assert found.expected_error == pytest.approx(0.65 / 2)
    assert found.max_error == pytest.approx(0.65)


def test_somebody_who_was_not_found_was_held_impossible():
    truth = turns((0, 1, "ann"), (0.2, 0.5, "bob"))
    found = calibration(truth, held(x=[1.0] * 10), REGION, {"x": "ann"})
    assert counts(found) == {0.0: (100, 30, 0.0), 0.9: (100, 100, 1.0)}
    assert found.expected_error == pytest.approx(0.15)
    nobody = calibration(truth, Activity(np.zeros((0, 0)), 0.1, ()), REGION, {})
    assert counts(nobody) == {0.0: (200, 130, 0.0)}


def test_somebody_not_heard_where_it_is_scored_does_not_count():
    truth = turns((0, 1, "ann"), (2, 3, "bob"))
    found = calibration(truth, held(x=[1.0] * 10), REGION, {"x": "ann"})
    assert found.n_frames == 100


def test_only_scored_frames_count_and_beyond_its_end_the_posterior_is_0():
    regions_s = np.array([[0.5, 0.8], [0.9, 1.3]])
    found = calibration(turns((0, 1.1, "ann")), held(x=[0.9] * 10), regions_s, {"x": "ann"})
    assert counts(found) == {0.0: (30, 10, 0.0), 0.9: (40, 40, 0.9)}


def test_a_posterior_of_another_hop_is_read_at_the_frames_centres():
    posterior = Activity(np.array([[0.3, 0.7, 0.3]]), 0.25, ("x",), start_s=0.1)
    found = calibration(turns((0.35, 0.6, "ann")), posterior, REGION, {"x": "ann"})
    # 0.1 to 0.35, 0.35 to 0.6, 0.6 to 0.85; nothing before and after
    assert counts(found) == {0.0: (25, 0, 0.0), 0.3: (50, 0, 0.3), 0.7: (25, 25, 0.7)}


def test_nothing_scored_has_no_error():
    found = calibration(turns((0, 1, "ann")), held(x=[1.0]), np.zeros((0, 2)), {"x": "ann"})
    assert found.n_frames == 0
    assert math.isnan(found.expected_error)
    assert math.isnan(found.max_error)


def test_all_together_is_one_table_of_all_frames_and_no_mean_of_errors():
    over = calibration(turns((0, 0.2, "ann")), held(x=[0.5] * 10), REGION, {"x": "ann"})
    under = calibration(turns((0, 0.8, "ann")), held(x=[0.5] * 10), REGION, {"x": "ann"})
    assert (over.expected_error, under.expected_error) == pytest.approx((0.3, 0.3))
    both = together([over, under])
    assert counts(both) == {0.5: (200, 100, 0.5)}
    assert both.expected_error == pytest.approx(0)


def test_cutting_time_into_blocks_changes_nothing(monkeypatch):
    generator = np.random.default_rng(1)
    start = generator.random(20) * 9
    truth = turns(*((s, s + 0.5, "a") for s in start), (2, 3, "b"), (4, 6, "c"))
    posterior = Activity(generator.random((3, 600)), 0.016, ("x", "y", "z"))
    arguments = (truth, posterior, np.array([[0.5, 4], [5, 9.003]]), {"x": "a", "y": "b"})
    whole = calibration(*arguments)
    monkeypatch.setattr(frames, "FRAMES_AT_ONCE", 37)
    in_blocks = calibration(*arguments)
    assert [(one.n_frames, one.n_true) for one in in_blocks.bins] == [
        (one.n_frames, one.n_true) for one in whole.bins
    ]
    assert in_blocks.expected_error == pytest.approx(whole.expected_error)


def test_a_matched_speaker_must_have_a_row():
    with pytest.raises(BadCall, match="no row for speaker 'x' in the posterior; it has y"):
        calibration(turns((0, 1, "ann")), held(y=[1.0]), REGION, {"x": "ann"})


@pytest.fixture
def pairs():
    """A recording with a posterior whose names are crossed, and one without."""
    scored = Timeline([Segment(0, 1)])
    truth, found = said((0, 0.5, "a"), (0.5, 1, "b")), said((0, 0.5, "b"), (0.5, 1, "a"))
    posterior = held(a=[0.0] * 5 + [1.0] * 5, b=[0.75] * 5 + [0.0] * 5)
    return [
        Pair("one", truth, found, scored, posterior),
        Pair("two", said((0, 1, "a")), said((0, 1, "x")), scored),
    ]


def test_who_is_who_is_the_mapping_of_der_whatever_the_names(pairs):
    found = score(pairs)
    one, two = found.recordings
    # b at 0.75 for the 50 frames in which he talks; all else certain and right
    assert counts(one.calibration) == {
        0.0: (100, 0, 0.0),
        0.7: (50, 50, 0.75),
        0.9: (50, 50, 1.0),
    }
    assert one.calibration.expected_error == pytest.approx(0.25 / 4)
    assert two.calibration is None
    assert found.calibration == one.calibration


def test_the_collar_changes_nothing(pairs):
    assert score(pairs, [FAIR]).calibration == score(pairs, [FULL]).calibration


def test_table_json_and_csv_show_it(pairs):
    found = score(pairs, [FULL, FAIR])
    lines = [" ".join(line.split()) for line in table_text(found, FACTS).splitlines()]
    assert lines[lines.index("calibration of the posterior") + 1 :][:4] == [
        "recording ECE max frames",
        "one 0.062 0.250 200",
        "TOTAL 0.062 0.250 200",
        "",
    ]
    assert "0.7 to 0.8 0.750 1.000 50" in lines
    assert "0.8 to 0.9 - - 0" in lines
    assert any(line.startswith("calibration: each speaker and scored 10 ms") for line in lines)
    values = json.loads(json_text(found, FACTS))
    total = values["total"]["calibration"]
    assert (total["ece"], total["max_calibration_error"]) == (0.0625, 0.25)
    assert len(total["reliability"]) == 10
    assert total["reliability"][7] == {
        "from": 0.7,
        "to": 0.8,
        "mean_posterior": 0.75,
        "share_true": 1.0,
        "n_frames": 50,
    }
    assert total["reliability"][8]["share_true"] is None
    assert values["recordings"][0]["calibration"] == total
    assert "calibration" not in values["recordings"][1]
    assert values["definitions"]["calibration"].startswith("calibration: ")
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [(row["recording"], row["convention"], row["ece"]) for row in rows] == [
        ("one", "full", "0.0625"),
        ("one", "fair", ""),
        ("two", "full", ""),
        ("two", "fair", ""),
        ("TOTAL", "full", "0.0625"),
        ("TOTAL", "fair", ""),
    ]


def test_without_a_posterior_nothing_is_said_of_it(pairs):
    found = score(pairs[1:])
    assert found.calibration is None
    assert "calibration" not in table_text(found, FACTS)
    values = json.loads(json_text(found, FACTS))
    assert "calibration" not in values["total"]
    assert list(values["definitions"]) == ["correlation"]
    assert "ece" not in csv_text(found).splitlines()[0]
