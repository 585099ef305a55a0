"""recipes/diarization: sets to train on and to test on, two attributors, one table of all."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from diarize.config import build, load, read_toml
from diarize.corpora.mini import MiniSettings
from diarize.corpora.simulated import SimulatedData
from diarize.errors import BadFile
from diarize.inference.diarize import DiarizerSettings
from diarize.inference.scene_supply import SceneSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes" / "diarization"
SIMULATED, MINI = ROOT / "egs" / "simulated", ROOT / "egs" / "mini"
SETS = sorted((SIMULATED / "conf" / "data").glob("*.toml"))
TESTED = ("dev", "test", "test_two")
ASKED = ("dev", "dev_calls", "dev_distant", "test", "test_two")

sys.path.insert(0, str(RECIPES))
import set_table  # noqa: E402

sys.path.remove(str(RECIPES))


def run(eg, words, python, **environment):
    return subprocess.run(
        ["bash", str(eg / "run.sh"), *map(str, words)],
        env=os.environ | {"DIARIZE_PYTHON": str(python)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def walked(stub, tmp_path):
    """A function: the calls that an eg makes of a stand-in for Python, and what it says."""
    python, notes = stub

    def walk(eg, *words, **environment):
        for conf in (eg / "conf" / "data").glob("*.toml"):
            folder = tmp_path / "data" / conf.stem
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "manifest.jsonl").write_text('{"recording": "a"}\n{"recording": "b"}\n')
        words = ["--data", tmp_path / "data", "--exp", tmp_path / "exp", *words]
        done = run(eg, words, python, **environment)
        calls = [json.loads(line) for line in notes.read_text().splitlines()]
        notes.write_text("")
        return done, calls

    return walk


def after(call, word):
    return call[call.index(word) + 1]


# What is made


def test_each_set_is_made_of_its_own_conf_and_takes_what_the_call_names(walked, tmp_path):
    words = ["--stage", 0, "--stop-stage", 1]
    done, calls = walked(SIMULATED, *words, SPEECH="/my speech", COUNT="2")
    assert done.returncode == 0, done.stderr
    made = {Path(after(call, "--data")).name: call for call in calls}
    assert set(made) == {conf.stem for conf in SETS} - {"sources"}
    for name, call in made.items():
        assert call[:4] == ["-m", "diarize", "fetch", "simulated"]
        assert after(call, "--conf") == f"conf/data/{name}.toml"
        assert after(call, "--speech") == "/my speech"
        assert after(call, "--count") == "2"
        assert "--noises" not in call


def test_several_jobs_share_out_the_sets(stub, tmp_path):
    python, notes = stub
    names = [f"conf/data/{name}.toml" for name in ("a", "b", "c")]
    made = []
    for job in (1, 2):
        subprocess.run(
            ["bash", ROOT / "recipes" / "0_fetch.sh", "simulated", f"--part={job}/2", *names],
            env=os.environ | {"python": str(python), "data": str(tmp_path), "nj": "2"},
            check=True,
        )
        calls = [json.loads(line) for line in notes.read_text().splitlines()]
        notes.write_text("")
        made.append([after(call, "--conf") for call in calls])
    assert made == [[names[0], names[2]], [names[1]]]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_without_speech_it_is_said_what_to_put_where(n_jobs, tmp_path):
    words = ["--data", tmp_path / "data", "--exp", tmp_path / "exp", "--nj", n_jobs]
    none = str(tmp_path / "none")
    done = run(SIMULATED, [*words, "--stop-stage", 0], sys.executable, SPEECH=none)
    assert done.returncode == 1
    assert f"{none}/speakers.tsv: no such file" in done.stderr
    assert "path (in that folder), speaker, set (any word), seconds" in done.stderr
    assert "SPEECH=DIR NOISES=DIR ROOMS=DIR bash egs/simulated/run.sh" in done.stderr


# What hangs on what


@pytest.fixture
def copied(tmp_path):
    """egs/simulated in a checkout of its own, whose settings may be changed."""
    eg = tmp_path / "checkout" / "egs" / "simulated"
    shutil.copytree(ROOT / "recipes", tmp_path / "checkout" / "recipes")
    shutil.copytree(SIMULATED / "conf", eg / "conf")
    shutil.copy(SIMULATED / "run.sh", eg)
    return eg


def test_another_test_set_is_made_and_inferred_but_nothing_is_trained_again(copied, walked):
    walked(copied)
    conf = copied / "conf" / "data" / "test_two.toml"
    conf.write_text(conf.read_text().replace("seed = 43", "seed = 44"))
    done, calls = walked(copied)
    said = [line for line in done.stdout.splitlines() if line.endswith("] done")]
    assert said == ["[1 prepare] done", "[2 features] done", "[3 train] done"]
    assert {call[2] for call in calls if call[1] == "diarize"} == {"fetch", "score", "report"}


def test_other_conversations_to_train_on_are_trained_on(copied, walked):
    walked(copied)
    conf = copied / "conf" / "data" / "calm.toml"
    conf.write_text(conf.read_text().replace("seed = 13", "seed = 14"))
    done, calls = walked(copied)
    assert [line for line in done.stdout.splitlines() if "] done" in line] == ["[0 fetch] done"]
    assert "train" in {call[2] for call in calls}


# What is inferred


def test_every_set_is_inferred_as_the_conf_says_and_by_what_was_trained(walked, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a.flac", "truth.rttm", "all.uem"):
        (clips / name).touch()
    done, calls = walked(SIMULATED, AMI_CLIPS=str(clips))
    assert done.returncode == 0, done.stderr
    exp, names = tmp_path / "exp", (*ASKED, "clips")
    inferred = {after(call, "-o"): call for call in calls if "infer" in call}
    kinds = {"result": "conf/default.toml", "result_msvae": f"{exp}/infer_msvae.toml"}
    assert set(inferred) == {f"{exp}/{kind}/{name}" for kind in kinds for name in names}
    for kind, conf in kinds.items():
        assert {after(inferred[f"{exp}/{kind}/{name}"], "--conf") for name in names} == {conf}
    assert str(clips) in inferred[f"{exp}/result/clips"]
    scored = {after(call, "--json"): call for call in calls if call[2:3] == ["score"]}
    assert len(scored) == 2 * len(names)
    call = scored[f"{exp}/score_msvae/clips.json"]
    assert call[3:] == [
        *(f"{clips}/truth.rttm", f"{exp}/result_msvae/clips", "--uem", f"{clips}/all.uem"),
        *("--json", f"{exp}/score_msvae/clips.json"),
    ]
    reports = [call for call in calls if call[2:3] == ["report"]]
    assert [after(call, "-o") for call in reports] == [
        f"{exp}/report/{name}.html" for name in names
    ]


def test_what_was_trained_is_taken_with_the_rest_of_the_conf(walked, tmp_path):
    walked(SIMULATED, "--conf", "conf/tiny.toml", AMI_CLIPS=str(tmp_path / "none"))
    settings = load(DiarizerSettings, tmp_path / "exp" / "infer_msvae.toml", "infer")
    assert settings.attributor == "msvae"
    assert settings.attributor_weights == tmp_path / "exp" / "train" / "model.safetensors"
    merged = read_toml(tmp_path / "exp" / "infer_msvae.toml")
    assert merged["data"]["window_s"] == 5.0


def test_real_recordings_that_are_not_there_are_left_out_and_it_is_said(walked, tmp_path):
    done, calls = walked(SIMULATED, AMI_CLIPS=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert len([call for call in calls if "infer" in call]) == 2 * len(ASKED)
    log = (tmp_path / "exp" / "log" / "4_infer.log").read_text()
    assert f"{tmp_path}/none is not there; going on without it" in log


def test_without_a_trained_attributor_only_the_conf_s_own_is_asked(walked, tmp_path):
    done, calls = walked(MINI, "--stage", 4)
    assert done.returncode == 0, done.stderr
    assert [after(call, "-o") for call in calls if "infer" in call] == [f"{tmp_path}/exp/result"]


def test_mini_trains_a_tiny_attributor_on_a_conversation_of_its_own(walked, tmp_path):
    done, calls = walked(MINI)
    assert done.returncode == 0, done.stderr
    (train,) = [call for call in calls if call[2:3] == ["train"]]
    assert after(train, "--conf") == "conf/tiny_attributor.toml"
    outputs = [after(call, "-o") for call in calls if "infer" in call]
    assert outputs == [f"{tmp_path}/exp/{kind}" for kind in ("result", "result_msvae")]
    to_train = load(MiniSettings, MINI / "conf" / "data" / "training.toml", "data")
    assert not to_train.sample_call  # nothing is fetched for it, and nobody real is in it
    assert to_train.seed != load(MiniSettings, MINI / "conf" / "default.toml", "data").seed


# Settings


@pytest.mark.parametrize(
    "conf", [one for one in SETS if one.stem != "sources"], ids=lambda p: p.stem
)
def test_a_set_is_of_its_own_split_and_of_a_seed_of_its_own(conf):
    made = load(SimulatedData, conf, "data")
    part = conf.stem.split("_")[0]
    split = part if part in ("dev", "test") else "train"
    assert made.conversations.split == split
    others = [load(SimulatedData, one, "data").seed for one in SETS if one != conf]
    assert made.seed not in others
    assert made.speech is not None


@pytest.mark.parametrize("name", TESTED)
def test_what_is_tested_on_is_as_the_protocol_says(name):
    made = load(SimulatedData, SIMULATED / "conf" / "data" / f"{name}.toml", "data")
    talk = made.conversations
    assert 20 <= made.count <= 30
    assert (talk.min_speakers, talk.max_speakers) == (2, 2 if name == "test_two" else 4)
    assert (talk.min_overlap + talk.max_overlap) / 2 == pytest.approx(0.2)
    assert talk.acoustics.room_probability > 0.5


@pytest.mark.parametrize(
    ("eg", "name"), [(SIMULATED, "default"), (SIMULATED, "tiny"), (MINI, "tiny_attributor")]
)
def test_a_conf_can_be_trained(eg, name):
    tables = read_toml(eg / "conf" / f"{name}.toml")
    data = build(SceneSettings, tables["data"], "[data]")
    assert all((eg / "conf" / "data" / f"{folder}.toml").exists() for folder in data.folders)
    with torch.device("meta"):
        model = make_model(tables["model"]["name"], tables["model"], "[model]")
    assert build(TrainSettings, tables["train"], "[train]").phases_of(model.phases)
    beside = build(DiarizerSettings, tables.get("infer", {}), "[infer]").attributor
    assert beside == ("cluster" if eg == SIMULATED else "auto")


# The table


def score(der, n_right=1.0, ece=None):
    full = {"der": der, "jer": 0.3, "missed": 0.1, "false_alarm": 0.05, "confusion": 0.02}
    full |= {"correct": 0.88, "der_interval": {"low": 0.1, "high": 0.25}}
    total = {"rates": {"full": full}, "count_exact_share": n_right, "correlation": 0.9}
    if ece is not None:
        total["calibration"] = {"ece": ece}
    return json.dumps({"total": total, "recordings": [{}, {}]})


def test_the_table_has_a_row_a_set_and_attributor(tmp_path, capsys):
    for folder in set_table.SYSTEMS:
        (tmp_path / folder).mkdir()
    (tmp_path / "score" / "test.json").write_text(score(0.17, 0.5))
    (tmp_path / "score_msvae" / "test.json").write_text(score(0.12, ece=0.0312))
    (tmp_path / "score" / "dev.json").write_text(score(0.2))
    assert set_table.main([str(tmp_path), "--markdown", str(tmp_path / "score.md")]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()[1:4]]
    assert [" ".join(line[:-11]) for line in shown] == [
        "dev, as the conf says",
        "test, as the conf says",
        "test, msvae, trained here",
    ]
    assert " ".join(shown[1][-11:]) == "2 17.0 10.0-25.0 10.0 5.0 2.0 30.0 50.0 88.0 0.900 -"
    assert shown[2][-1] == "0.031"
    assert (tmp_path / "score.md").read_text().startswith("| set, attributor ")


def test_a_table_of_nothing_or_of_something_else_is_refused(tmp_path, capsys):
    with pytest.raises(BadFile, match="stage 5 writes them"):
        set_table.read_rows(tmp_path)
    (tmp_path / "score").mkdir()
    (tmp_path / "score" / "test.json").write_text('{"total": {}}')
    assert set_table.main([str(tmp_path), "--markdown", str(tmp_path / "score.md")]) == 1
    assert not (tmp_path / "score.md").exists()
