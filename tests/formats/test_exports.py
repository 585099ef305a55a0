import json

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.errors import BadCall, BadFile
from diarize.formats.activity import Activity
from diarize.formats.exports import Export, csv_text, json_text, read_json


@pytest.fixture
def export():
    annotation = Annotation()
    annotation[Segment(0.5, 2.25), "x"] = "ann"
    annotation[Segment(2, 3.0004), "y"] = "Zoë, the 2nd"
    return Export(
        annotation,
        "call 1",
        4.0,
        probability={(Segment(0.5, 2.25), "x"): 0.876},
        activity=Activity(
            np.array([[0, 0.506, 1], [0.1, 0.2, 0.999]]), 0.016, ("ann", "Zoë, the 2nd"), 0.5
        ),
        made_with={"version": "1", "seed": 0},
    )


def test_json_says_all_that_is_known(export):
    assert json.loads(json_text(export)) == {
        "recording": "call 1",
        "duration_s": 4.0,
        "speakers": [
            {"name": "Zoë, the 2nd", "speech_s": 1.0},
            {"name": "ann", "speech_s": 1.75},
        ],
        "turns": [
            {"start_s": 0.5, "end_s": 2.25, "speaker": "ann", "probability": 0.88},
            {"start_s": 2.0, "end_s": 3.0, "speaker": "Zoë, the 2nd"},
        ],
        "activity": {
            "hop_s": 0.016,
            "start_s": 0.5,
            "posterior": {"ann": [0, 0.51, 1], "Zoë, the 2nd": [0.1, 0.2, 1]},
        },
        "made_with": {"version": "1", "seed": 0},
    }


def test_what_is_not_known_is_left_out():
    values = json.loads(json_text(Export(Annotation(), "silence", 3600.0)))
    assert values == {"recording": "silence", "duration_s": 3600.0, "speakers": [], "turns": []}


def test_a_turn_takes_one_line(export):
    assert '    {"start_s": 2.0, "end_s": 3.0, "speaker": "Zoë, the 2nd"}\n' in json_text(export)


def test_json_is_read_back(export, tmp_path):
    (tmp_path / "a.json").write_text(json_text(export))
    found = read_json(tmp_path / "a.json")
    assert (found.recording, found.duration_s) == ("call 1", 4.0)
    assert list(found.annotation.itertracks(yield_label=True)) == [
        (Segment(0.5, 2.25), 0, "ann"),
        (Segment(2, 3), 1, "Zoë, the 2nd"),
    ]
    assert found.probability == {(Segment(0.5, 2.25), 0): 0.88}
    assert found.activity.speakers == ("ann", "Zoë, the 2nd")
    assert (found.activity.hop_s, found.activity.start_s) == (0.016, 0.5)
    np.testing.assert_array_equal(found.activity.posterior, [[0, 0.51, 1], [0.1, 0.2, 1]])
    assert json_text(found) == json_text(export)


def test_a_posterior_of_nobody_is_read_back(tmp_path):
    nobody = Activity(np.zeros((0, 7)), 0.01, ())
    (tmp_path / "a.json").write_text(json_text(Export(Annotation(), "x", 1.0, activity=nobody)))
    assert read_json(tmp_path / "a.json").activity.posterior.shape == (0, 0)


def test_csv_has_a_line_a_turn(export):
    assert csv_text(export) == (
        "recording,start_s,end_s,speaker,probability\n"
        "call 1,0.500,2.250,ann,0.88\n"
        'call 1,2.000,3.000,"Zoë, the 2nd",\n'
    )


def test_a_turn_that_is_not_finite_is_refused():
    annotation = Annotation()
    annotation[Segment(0, float("inf"))] = "a"
    with pytest.raises(BadCall, match="inf"):
        json_text(Export(annotation, "x", 1.0))


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("recording", 5, "recording: found '5'"),
        ("recording", None, "recording: found 'None'"),
        ("duration_s", -1, "duration_s: found -1"),
        ("turns", {}, "turns: found '{}'"),
        ("turns", [7], "turns[0].start_s: found nothing"),
        ("turns", [{"start_s": 1, "end_s": 1, "speaker": "a"}], "turns[0].end_s: found 1"),
        ("turns", [{"start_s": -1, "end_s": 1, "speaker": "a"}], "turns[0].start_s: found -1"),
        ("turns", [{"start_s": "0", "end_s": 1, "speaker": "a"}], "turns[0].start_s: found '0'"),
        ("turns", [{"start_s": 0, "end_s": 1}], "turns[0].speaker: found nothing"),
        ("activity", {"posterior": {"a": [1]}}, "activity.hop_s: found nothing"),
        ("activity", {"posterior": {"a": [1], "b": []}, "hop_s": 1, "start_s": 0}, "do not fit"),
        ("activity", {"posterior": {"a": 2}, "hop_s": 1, "start_s": 0}, "do not fit"),
        ("activity", {"posterior": {"a": ["x"]}, "hop_s": 1, "start_s": 0}, "do not fit"),
        ("activity", {"posterior": {"a": [2]}, "hop_s": 1, "start_s": 0}, "outside 0..1"),
        ("activity", [], "activity: found list"),
        ("speaker_counts", [3], "speaker_counts: found '[3]'"),
        ("speaker_counts", {"two": 1}, "speaker_counts: found 'two'"),
        ("speaker_counts", {"-1": 1}, "speaker_counts: found '-1'"),
        ("speaker_counts", {"2": "1"}, "speaker_counts.2: found '1'"),
        ("speaker_counts", {"2": 1.5}, "speaker_counts.2: found 1.5"),
        ("speaker_counts", {"2": -0.1}, "speaker_counts.2: found -0.1"),
    ],
)
def test_a_bad_part_is_named_with_what_was_found(export, tmp_path, key, value, found):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(json.loads(json_text(export)) | {key: value}))
    with pytest.raises(BadFile) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}, ")
    assert found in str(caught.value)


def test_how_probable_each_number_of_speakers_is_goes_there_and_back(tmp_path):
    counts = {10: 0.0449, 3: 0.7149, 4: 0.236, 5: 0.0042}
    text = json_text(Export(Annotation(), "x", 1.0, speaker_counts=counts))
    # as numbers are sorted, and without what rounds to nothing
    assert '"speaker_counts": {"3": 0.71, "4": 0.24, "10": 0.04}' in text
    (tmp_path / "a.json").write_text(text)
    found = read_json(tmp_path / "a.json")
    assert found.speaker_counts == {3: 0.71, 4: 0.24, 10: 0.04}
    assert json_text(found) == text


def test_a_probability_of_a_number_of_speakers_that_is_no_number_is_refused():
    with pytest.raises(BadCall, match="a probability at nan"):
        json_text(Export(Annotation(), "x", 1.0, speaker_counts={2: float("nan")}))


@pytest.mark.parametrize("text", ["", "{", "[]", "SPEAKER call 1 0 1"])
def test_other_text_is_no_diarization(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadFile, match=r"a\.json, the file: found"):
        read_json(tmp_path / "a.json")
