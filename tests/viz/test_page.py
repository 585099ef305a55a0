"""The page: complete in itself, safe with any name, and as the results are."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from pyannote.core import Annotation, Segment

from diarize.errors import BadFile
from diarize.models.contract import Activity
from diarize.viz import report
from diarize.viz.reliability import Held
from diarize.viz.report import page
from diarize.viz.scores import Table, read_scores
from diarize.viz.views import View

VOID = {"meta", "br", "img", "path", "rect"}


class Checked(HTMLParser):
    """Reads a page, and asserts that its elements are closed in the order they were opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag, kind=None):
        return [a for t, a in self.elements if t == tag and kind in (None, a.get("class"))]


def said(*turns):
    annotation = Annotation()
    for place, (start_s, end_s, speaker) in enumerate(turns):
        annotation[Segment(start_s, end_s), place] = speaker
    return annotation


@pytest.fixture
def view():
    activity = Activity(np.array([[0.8] * 4 + [0.1] * 6]), 1.0, ("A",))
    found, true = said((0, 4, "A"), (3, 6, "B")), said((0, 4.5, "Ann"))
    return View("call", "call", found, 10.0, activity, true)


@pytest.fixture
def tone(tmp_path):
    samples = 0.1 * np.sin(np.arange(8000) / 20)
    soundfile.write(tmp_path / "a tone.wav", samples, 16000)
    return tmp_path / "a tone.wav"


def test_every_turn_is_drawn_where_it_is_with_how_probable_it_is(view):
    turns = Checked(page([view])).of("rect", "turn")
    assert [(turn["x"], turn["width"], turn.get("data-sure")) for turn in turns] == [
        ("0.000", "4.000", "0.80"),
        ("3.000", "3.000", None),
        ("0.000", "4.500", None),
    ]


def test_overlap_has_a_band(view):
    (band,) = Checked(page([view])).of("rect", "band")
    assert (band["x"], band["width"]) == ("3.000", "1.000")


def test_a_matching_reference_speaker_has_the_same_colour(view):
    groups = Checked(page([view])).of("g", "turns")
    hue = {group["data-name"]: group["fill"] for group in groups}
    assert hue["Ann"] == hue["A"] != hue["B"]


def test_nothing_is_loaded_from_anywhere(view):
    text = page([view])
    assert not re.search(r"""(?:src|href)=["'](?!data:)|url\(|@import|https?://""", text)
    policies = [a for a in Checked(text).of("meta") if "http-equiv" in a]
    assert policies[0]["content"].startswith("default-src 'none'")


def test_names_cannot_become_markup():
    evil = '"><script>alert(1)</script>&\ud800'
    text = page([View(evil, "evil", said((0, 1, evil)), 2.0, None, said((0, 1, evil)))])
    assert len(Checked(text).of("script")) == 1
    assert "<script>alert" not in text
    text.encode("utf-8")


def test_short_sound_is_in_the_page_as_it_was(view, tone):
    with_sound = View("call", "call", view.annotation, 0.5, audio=tone)
    (player,) = Checked(page([with_sound])).of("audio")
    head, data = player["src"].split(",")
    assert head == "data:audio/flac;base64"
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate_hz == 16000
    assert samples == pytest.approx(0.1 * np.sin(np.arange(8000) / 20), abs=1e-4)


def test_sound_that_is_too_much_is_linked_to_from_where_the_page_lies(tone, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SOUND_LIMIT_BYTES", 100)
    view = View("call", "call", Annotation(), 0.5, audio=tone)
    (player,) = Checked(page([view], folder=tmp_path / "exp")).of("audio")
    assert player["src"] == "../a%20tone.wav"


def test_an_hour_is_not_even_read(tmp_path):
    view = View("long", "long", Annotation(), 3600.0, audio=tmp_path / "gone.wav")
    assert 'preload="none"' in page([view], folder=tmp_path)


def test_sound_that_cannot_be_read_is_said_and_stops_nothing(tmp_path):
    view = View("call", "call", Annotation(), 5.0, audio=tmp_path / "gone.wav")
    text = page([view])
    assert "No sound: " in text
    assert Checked(text).of("audio") == []


def test_silence_has_a_timeline_without_turns():
    text = page([View("still", "still", Annotation(), 12.0, reference=Annotation())])
    assert Checked(text).of("rect", "turn") == []
    assert "found: no speech" in text


def test_the_same_results_give_the_same_page(view):
    assert page([view]) == page([view])


def test_totals_stand_out_in_the_score_table(view):
    table = Table(("recording", "DER %"), (("<a>", "1.0"), ("all, full", "2.0")), 1, "what & how")
    text = page([view], table)
    assert '<tr><th scope="row">&lt;a&gt;</th><td>1.0</td></tr>' in text
    assert '<tr class="total"><th scope="row">all, full</th><td>2.0</td></tr>' in text
    assert "what &amp; how" in text


def test_a_long_meeting_makes_a_page_of_moderate_size():
    turns = said(*((i * 1.5, i * 1.5 + 1, f"s{i % 6}") for i in range(4800)))
    assert len(page([View("long", "long", turns, 7200.0)])) < 1_500_000


RATES = {"der": 0.2, "missed": 0.1, "false_alarm": 0.04, "confusion": 0.06, "jer": None}


def test_scores_become_rows_by_recording_and_totals_by_convention(tmp_path):
    total = RATES | {"der_interval": {"low": 0.1, "high": 0.3}}
    rule = {"full": {"collar_s": 0.0, "skip_overlap": False}}
    scores = {
        "total": {"count_exact_share": 1.0, "correlation": 0.876, "rates": {"full": total}},
        "recordings": [
            {
                "recording": "a",
                "n_reference": 2,
                "n_hypothesis": 3,
                "correlation": None,
                "rates": {"full": RATES},
            }
        ],
        "conventions": rule,
        "definitions": {"correlation": "as it is"},
        "extent": "the UEM",
    }
    (tmp_path / "score.json").write_text(json.dumps(scores))
    table = read_scores(tmp_path / "score.json")
    assert table.rows == (
        ("a", "20.0", "10.0", "4.0", "6.0", "-", "3 / 2", "-"),
        ("all, full", "20.0 (10.0 to 30.0)", "10.0", "4.0", "6.0", "-", "100 % right", "0.88"),
    )
    assert table.n_totals == 1
    assert table.foot.startswith("Full: no collar, overlap scored. Single recordings: full;")


def scores_with(calibration):
    """What `diarize score --json` writes of one recording without and one with a posterior."""
    total = RATES | {"der_interval": None}
    one = {"n_reference": 2, "n_hypothesis": 2, "correlation": 0.5, "rates": {"full": RATES}}
    return {
        "total": {
            "count_exact_share": 1.0,
            "correlation": 0.5,
            "rates": {"full": total},
            "calibration": calibration,
        },
        "recordings": [
            one | {"recording": "a"},
            one | {"recording": "b", "calibration": calibration},
        ],
        "conventions": {"full": {"collar_s": 0.0, "skip_overlap": False}},
        "definitions": {"correlation": "as it is", "calibration": "so is this"},
        "extent": "the UEM",
    }


def test_a_calibrated_posterior_has_a_column_and_a_figure(view, tmp_path):
    table = [
        {"from": 0.0, "to": 0.1, "mean_posterior": 0.02, "share_true": 0.1, "n_frames": 900},
        {"from": 0.1, "to": 0.2, "mean_posterior": None, "share_true": None, "n_frames": 0},
        {"from": 0.9, "to": 1.0, "mean_posterior": 0.95, "share_true": 0.5, "n_frames": 100},
    ]
    scores = scores_with({"ece": 0.0625, "max_calibration_error": 0.45, "reliability": table})
    (tmp_path / "score.json").write_text(json.dumps(scores))
    read = read_scores(tmp_path / "score.json")
    assert read.held == (Held(0.02, 0.1, 900), Held(0.95, 0.5, 100))
    assert [row[-1] for row in read.rows] == ["-", "0.062", "0.062"]
    assert "As it is. So is this." in read.foot
    drawn = Checked(page([view], read)).of("circle")
    # of 200 dots: 0.02 to the right and 0.1 up; most frames are a dot of radius 7
    assert [(dot["cx"], dot["cy"], dot["r"]) for dot in drawn] == [
        ("4.0", "180.0", "7.0"),
        ("190.0", "100.0", "3.7"),
    ]


def test_a_calibration_of_no_frames_has_no_figure(view, tmp_path):
    scores = scores_with({"ece": None, "max_calibration_error": None, "reliability": []})
    (tmp_path / "score.json").write_text(json.dumps(scores))
    read = read_scores(tmp_path / "score.json")
    assert [row[-1] for row in read.rows] == ["-", "-", "-"]
    assert "Reliability" not in page([view], read)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"conventions": {}, "total": {}}'])
def test_a_file_without_scores_is_refused(tmp_path, text):
    (tmp_path / "score.json").write_text(text)
    with pytest.raises(BadFile, match="give a file that `diarize score --json` wrote"):
        read_scores(tmp_path / "score.json")
