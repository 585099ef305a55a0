"""`diarize report`: a folder of results in, a page and pictures out."""

import numpy as np
import pytest
import soundfile
from pyannote.core import Annotation, Segment

from diarize.cli import main
from diarize.formats.activity import Activity
from diarize.formats.exports import Export, json_text
from diarize.formats.manifest import Recording, write_manifest
from diarize.formats.rttm import rttm_text
from diarize.viz.views import read_views


def said(*turns):
    annotation = Annotation()
    for place, (start_s, end_s, speaker) in enumerate(turns):
        annotation[Segment(start_s, end_s), place] = speaker
    return annotation


@pytest.fixture
def run(tmp_path):
    """What the stages before the report leave: sound, truth and results of three recordings."""
    result = tmp_path / "result"
    result.mkdir()
    for name in ("zoo", "b c"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(1600), 16000)
    write_manifest(
        tmp_path / "manifest.jsonl",
        [
            Recording("zoo", tmp_path / "zoo.wav", duration_s=9.0),
            Recording("b c", tmp_path / "b c.wav"),
        ],
    )
    (tmp_path / "ref.rttm").write_text(rttm_text(said((0, 2, "Ann")), "zoo"))
    found = said((0, 2, "A"))
    posterior = Activity(np.full((1, 4), 0.5), 1.0, ("A",))
    (result / "zoo.json").write_text(json_text(Export(found, "zoo", 8.0, activity=posterior)))
    (result / "zoo.rttm").write_text(rttm_text(said((5, 6, "other")), "zoo"))
    (result / "b_c.rttm").write_text(rttm_text(said((1, 3, "A")), "b c"))
    (result / "silent.rttm").write_text("")
    return tmp_path


def report(run, *words):
    return main(["report", "--result", str(run / "result"), "-o", str(run / "report.html"), *words])


def test_a_page_is_made_of_results_alone(run, capsys):
    assert report(run) == 0
    text = (run / "report.html").read_text()
    assert [name for name in ("zoo", "b_c", "silent") if f"<h2>{name}</h2>" in text] == [
        "zoo",
        "b_c",
        "silent",
    ]
    assert "<audio" not in text
    assert capsys.readouterr().out == ""


def test_manifest_and_reference_bring_sound_and_truth(run):
    code = report(
        run, "--manifest", str(run / "manifest.jsonl"), "--reference", str(run / "ref.rttm")
    )
    text = (run / "report.html").read_text()
    assert code == 0
    assert text.count("<audio") == 2
    assert 'data-name="Ann" data-panel="reference"' in text


def test_a_picture_of_each_recording_is_written_when_asked_for(run):
    assert report(run, "--pictures", str(run / "picture")) == 0
    made = sorted(path.name for path in (run / "picture").iterdir())
    assert made == ["b_c.png", "silent.png", "zoo.png"]


def test_results_come_in_the_order_of_the_manifest_and_the_json_is_preferred(run):
    views = read_views(run / "result", run / "manifest.jsonl", run / "ref.rttm")
    assert [view.recording for view in views] == ["zoo", "b_c", "silent"]
    assert views[0].annotation.labels() == ["A"]
    assert views[0].activity is not None
    assert views[0].duration_s == 8.0
    assert views[1].audio == run / "b c.wav"
    assert views[1].end_s == 3.0


def test_a_recording_that_the_reference_leaves_out_is_silent_there(run):
    views = read_views(run / "result", reference=run / "ref.rttm")
    assert [view.reference.labels() for view in views] == [[], [], ["Ann"]]


def test_a_folder_that_is_not_there_or_empty_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "result").mkdir()
    assert report(tmp_path) == 1
    assert "no .json or .rttm result in it" in capsys.readouterr().err
    (tmp_path / "result").rmdir()
    assert report(tmp_path) == 1
    err = capsys.readouterr().err
    assert "no such folder" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "report.html").exists()
