import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from diarize.cli import main
from diarize.formats.activity import Activity
from diarize.formats.exports import Export, json_text

REF = "SPEAKER call 1 0.000 10.000 <NA> <NA> ann <NA> <NA>\n"
HYP = "SPEAKER call 1 2.000 8.000 <NA> <NA> x <NA> <NA>\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("ref.rttm", REF), ("hyp.rttm", HYP), ("call.uem", "call 1 0 20\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_table_is_all_that_standard_output_gets(files, capsys):
    assert main(["score", "ref.rttm", "hyp.rttm", "--uem", "call.uem"]) == 0
    out, err = capsys.readouterr()
    assert "TOTAL 10.0 20.00 20.00 0.00 0.00 80.00 20.00 100 % ok" in " ".join(out.split())
    assert err == ""


def test_a_score_without_a_uem_says_so_loudly(files, capsys):
    assert main(["score", "ref.rttm", "hyp.rttm"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("diarize score: NO UEM: each recording is scored from the first to")
    assert "scored: NO UEM" in out


def test_json_and_csv_go_to_files_beside_the_table(files, capsys):
    arguments = ["--uem", "call.uem", "--json", "new/a.json", "--csv", "a.csv"]
    assert main(["score", "ref.rttm", "hyp.rttm", *arguments]) == 0
    assert "TOTAL" in capsys.readouterr().out
    values = json.loads(Path("new/a.json").read_text())
    assert values["total"]["rates"]["full"]["der"] == 0.2
    assert len(Path("a.csv").read_text().splitlines()) == 1 + 3 + 3


def test_json_on_standard_output_takes_the_tables_place(files, capsys):
    arguments = ["--uem", "call.uem", "--json", "-", "--convention", "forgiving"]
    assert main(["score", "ref.rttm", "hyp.rttm", *arguments]) == 0
    assert list(json.loads(capsys.readouterr().out)["total"]["rates"]) == ["forgiving"]


def test_a_posterior_in_json_is_used_for_the_correlation(files, capsys):
    annotation = Annotation()
    annotation[Segment(2, 10)] = "x"
    row = np.where(np.arange(1000) < 500, 1.0, 0.0)
    posterior = Activity(row[None], 0.02, ("x",))
    Path("h.json").write_text(json_text(Export(annotation, "call", 20.0, activity=posterior)))
    assert main(["score", "ref.rttm", "h.json", "--uem", "call.uem", "--json", "-"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["total"]["correlation"] == pytest.approx(1)
    assert values["total"]["rates"]["full"]["der"] == 0.2
    assert values["total"]["calibration"]["ece"] == 0
    assert main(["score", "ref.rttm", "h.json", "--uem", "call.uem"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "recording ECE max frames call 0.000 0.000 2000 TOTAL 0.000 0.000 2000" in out


def test_folders_are_paired_and_what_is_missing_is_said(files, capsys):
    for folder, names in (("ref", "ab"), ("hyp", "bc")):
        Path(folder).mkdir()
        for name in names:
            Path(folder, f"{name}.rttm").write_text(REF.replace("call", name))
    assert main(["score", "ref", "hyp"]) == 0
    out, err = capsys.readouterr()
    assert "TOTAL 20.0 50.00 50.00 0.00 0.00 50.00 50.00 50 % ok 0.50" in " ".join(out.split())
    assert "not in the hypothesis, counted as wholly missed: a\n" in err
    assert "not in the reference, NOT SCORED: c\n" in err


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("hyp.rttm", None, "hyp.rttm: cannot be read (No such file or directory)"),
        ("hyp.rttm", "hello\n", "hyp.rttm, line 1: found the type 'hello'"),
        ("hyp.rttm", HYP.replace("8.000", "-8"), "hyp.rttm, line 1: found the duration '-8'"),
        ("hyp.rttm", HYP.replace("8.000", "0"), "hyp.rttm, line 1: found the duration '0'"),
        ("hyp.rttm", HYP.replace("call", "my call"), "hyp.rttm, line 1: found 11 fields"),
        ("hyp.rttm", HYP.replace("call", "other"), "hyp.rttm: found no recording that ref.rttm"),
        ("ref.rttm", "", "hyp.rttm: found no recording that ref.rttm has (call against none)"),
        ("call.uem", "other 1 0 20\n", "call.uem: found no region for the recording 'call'"),
        ("call.uem", "", "call.uem: found no region for the recording 'call'"),
        ("call.uem", "call 1 20 0\n", "call.uem, line 1: found the end '0'"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_1(files, capsys, name, text, found):
    if text is None:
        Path(name).unlink()
    else:
        Path(name).write_text(text)
    uem = [] if name == "ref.rttm" else ["--uem", "call.uem"]
    assert main(["score", "ref.rttm", "hyp.rttm", *uem, "--json", "never.json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"diarize score: {found}")
    assert err.count("\n") == 1
    assert not Path("never.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [["--json", "-", "--csv", "-"], ["--seed", "-1"]],
    ids=["two on standard output", "a seed below zero"],
)
def test_a_bad_call_is_one_line_and_exit_code_2(files, capsys, arguments):
    assert main(["score", "ref.rttm", "hyp.rttm", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("diarize score: found ")
    assert err.count("\n") == 1


def test_a_place_that_cannot_be_written_is_named(files, capsys):
    Path("file").write_text("in the way")
    assert main(["score", "ref.rttm", "hyp.rttm", "--json", "file/a.json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "file/a.json: cannot be written" in err


def test_the_same_files_twice_give_the_same_bytes(files, capsys):
    for name in "abcdef":
        for kind, text in (("ref", REF), ("hyp", HYP.replace("2.000", f"{ord(name) / 50:.3f}"))):
            Path(kind).mkdir(exist_ok=True)
            Path(kind, f"{name}.rttm").write_text(text.replace("call", name))
    outputs = []
    for _ in range(2):
        assert main(["score", "ref", "hyp", "--seed", "5", "--json", "-"]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_the_metrics_are_not_loaded_for_help(tmp_path):
    code = (
        "import sys\nfrom diarize.cli import main\n"
        "try:\n    main(['score', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('pyannote', 'numpy', 'rich')))"
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
