"""`diarize review`: the list on standard output, from a result or from a recording."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pyannote.core import Annotation, Segment

from diarize.cli import main
from diarize.formats.activity import Activity
from diarize.formats.exports import Export, json_text


@pytest.fixture
def result(tmp_path, monkeypatch):
    """A JSON file: one turn from 0 to 2 s, half sure; 0.6 of another at 3 to 4 s."""
    monkeypatch.chdir(tmp_path)
    turns = Annotation(uri="call")
    turns[Segment(0, 2)] = "ann"
    posterior = np.array([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0.6, 0]])
    activity = Activity(posterior, 1.0, ("ann", "bob"))
    Path("call.json").write_text(json_text(Export(turns, "call", 5.0, activity=activity)))
    return "call.json"


def test_the_list_is_all_that_standard_output_gets(result, capsys):
    assert main(["review", result]) == 0
    out, err = capsys.readouterr()
    kinds = [line.split("  ")[0] for line in out.splitlines()]
    assert kinds[1:3] == ["false alarm", "missed"]
    assert out.endswith("call: 1.6 s of error expected; 2 of 2 places listed hold 1.6 s (100 %)\n")
    assert err == ""


def test_the_top_is_kept_to_and_the_rest_counted(result, capsys):
    assert main(["review", result, "--top", "1", "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [place["kind"] for place in values["places"]] == ["false alarm"]
    assert (values["n_found"], values["expected_s"], values["listed_s"]) == (2, 1.6, 1.0)


def test_the_sum_of_a_tsv_goes_to_standard_error(result, capsys):
    assert main(["review", result, "--format", "tsv"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[1] for line in out.splitlines()] == ["kind", "false alarm", "missed"]
    assert err.startswith("diarize review: call: 1.6 s of error expected")


def test_regions_leave_out_what_lies_elsewhere(result, capsys):
    Path("a.uem").write_text("call 1 2 5\n")
    assert main(["review", result, "--uem", "a.uem", "--format", "json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [place["kind"] for place in values["places"]] == ["missed"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["call.json", "--top", "0"], 2, "--top is 0"),
        (["nowhere.json"], 1, "nowhere.json: cannot be read"),
        (["bare.json"], 1, "bare.json: no activity in it; give what `--format json` writes"),
        (["call.json", "--uem", "b.uem"], 1, "b.uem: no region for recording 'call'"),
        (["many.txt"], 2, "many.txt: 2 recordings; a review is of one"),
    ],
)
def test_what_is_wrong_is_one_line(result, capsys, words, code, told):
    turns = Annotation(uri="call")
    Path("bare.json").write_text(json_text(Export(turns, "call", 5.0)))
    Path("b.uem").write_text("other 1 0 5\n")
    Path("many.txt").write_text("a.wav\nb.wav\n")
    assert main(["review", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"diarize review: {told}")
    assert err.count("\n") == 1


def test_a_recording_is_inferred_first_and_gives_what_its_result_gives(
    tmp_path, monkeypatch, talk, loaded, capsys
):
    monkeypatch.chdir(tmp_path)
    soundfile.write("talk.wav", talk.samples, 16_000)
    assert main(["infer", "talk.wav", "--format", "json"]) == 0
    Path("talk.json").write_text(capsys.readouterr().out)
    lists = []
    for name in ("talk.json", "talk.wav"):
        assert main(["review", name, "--format", "json"]) == 0
        lists.append(json.loads(capsys.readouterr().out))
    read, heard = lists
    assert read["places"]
    assert read["expected_s"] == pytest.approx(heard["expected_s"], abs=0.1)  # q has two decimals
    assert [one["kind"] for one in read["places"]][:2] == [one["kind"] for one in heard["places"]][
        :2
    ]
    assert main(["review", "talk.wav", "--num-speakers", "1", "--format", "json"]) == 0
    speakers = {one["speaker"] for one in json.loads(capsys.readouterr().out)["places"]}
    assert speakers == {"SPEAKER_00"}
