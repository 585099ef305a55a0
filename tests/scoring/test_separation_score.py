import json
import math
import sys

import numpy as np
import pytest

from diarize import cli
from diarize.errors import BadCall, BadFile
from diarize.formats.tracks import Tracks, save_samples, save_tracks
from diarize.scoring.bss_eval import bss_eval, median_of_songs
from diarize.scoring.separation_result import ALL, mean_of
from diarize.scoring.separation_score import CEILING, FLOOR, score_separation
from diarize.scoring.separation_table import json_text, table_markdown, table_text

RATE_HZ = 1000
NAMES = ("bass", "drums", "piano")


def song(seed, seconds=8):
    chance = np.random.default_rng(seed)
    stems = {name: chance.normal(0, 0.1, (1, seconds * RATE_HZ)) for name in NAMES}
    stems["piano"][:, : seconds * RATE_HZ // 2] = 0  # plays in the second half only
    return {name: samples.astype(np.float32) for name, samples in stems.items()}


def save(folder, songs, change=lambda stems: stems):
    for name, stems in songs.items():
        save_tracks(folder / name, Tracks(change(stems), RATE_HZ), subtype="float32")
    return folder


@pytest.fixture
def songs():
    return {f"song{number}": song(number) for number in range(3)}


@pytest.fixture
def truth(tmp_path, songs):
    return save(tmp_path / "truth", songs)


def mixed(share):
    """Stems with a share of all the others in each."""

    def change(stems):
        total = sum(stems.values())
        return {name: own + share * (total - own) for name, own in stems.items()}

    return change


def test_a_better_system_scores_higher_between_floor_and_truth(tmp_path, truth, songs):
    folders = {
        name: save(tmp_path / name, songs, mixed(share))
        for name, share in (("good", 0.05), ("poor", 0.5))
    }
    score = score_separation(truth, folders)
    assert [system.name for system in score.systems] == ["good", "poor", FLOOR, CEILING]
    good, poor, floor, ceiling = (system.sources[ALL].active.value_db for system in score.systems)
    assert floor == pytest.approx(0, abs=1e-6)
    # each of n equal others at 5 % rather than at 100 %: 26.02 dB
    assert good == pytest.approx(20 * math.log10(20), abs=0.3)
    assert poor == pytest.approx(20 * math.log10(2), abs=0.3)
    assert ceiling > 0


def test_the_share_of_silence_and_what_leaks_there_are_told(tmp_path, truth, songs):
    folder = save(tmp_path / "est", songs, mixed(0.1))
    system = score_separation(truth, {"est": folder}).systems[0]
    piano = system.sources["piano"]
    assert system.n_kept == 9
    assert piano.silent_share == pytest.approx(1 / 3)  # the first of three windows of each song
    assert piano.leak_db == pytest.approx(-20, abs=0.01)
    assert piano.silent_msdm_db == pytest.approx(20, abs=0.01)
    assert piano.active.n == 6
    assert piano.msdm.n == 9
    assert math.isnan(system.sources["bass"].leak_db)


def test_the_interval_is_over_songs():
    alike = mean_of([np.array([1.0, 2.0])] * 5, seed=0)
    assert (alike.interval.low, alike.interval.high) == (1.5, 1.5)
    apart = mean_of([np.full(10, 0.0), np.full(10, 10.0)], seed=0)
    assert (apart.interval.low, apart.interval.high) == (0.0, 10.0)
    assert mean_of([np.array([np.nan])], seed=0).n == 0


def test_the_same_seed_gives_the_same_table(tmp_path, truth, songs):
    folder = save(tmp_path / "est", songs, mixed(0.1))
    first, second = (table_text(score_separation(truth, {"est": folder})) for _ in range(2))
    assert first == second


def test_only_the_stems_that_are_asked_for_count(tmp_path, truth, songs):
    folder = save(tmp_path / "est", songs, mixed(0.1))
    score = score_separation(truth, {"est": folder}, ("drums", "bass"))
    assert set(score.systems[0].sources) == {"drums", "bass", ALL}


def test_what_is_lacking_or_unlike_is_named_before_anything_is_scored(tmp_path, truth, songs):
    folder = save(tmp_path / "est", songs)
    (folder / "song2" / "drums.wav").unlink()
    with pytest.raises(BadFile, match=r"song2: no drums"):
        score_separation(truth, {"est": folder})
    short = np.zeros((1, 4000), np.float32)
    for name in NAMES:
        save_samples(folder / "song2" / f"{name}.wav", short, RATE_HZ)
    with pytest.raises(BadFile, match=r"song2: number of samples 4000; the reference has 8000"):
        score_separation(truth, {"est": folder})
    for path in (folder / "song2").iterdir():
        path.unlink()
    (folder / "song2").rmdir()
    with pytest.raises(BadFile, match="song2: no such folder"):
        score_separation(truth, {"est": folder})


def test_songs_that_the_reference_lacks_are_noted(tmp_path, truth, songs):
    folder = save(tmp_path / "est", songs | {"other": song(9)})
    (note,) = score_separation(truth, {"est": folder}).notes
    assert "1 songs that the reference lacks: other" in note


def test_json_has_no_number_that_is_none(tmp_path, truth, songs):
    text = json_text(score_separation(truth, {"est": save(tmp_path / "est", songs)}))
    facts = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    scores = facts["systems"]["est"]["scores"]
    assert scores["bass"]["leak_db"] is None
    assert scores["bass"]["song_sdr"]["value_db"] == 60  # perfect, as far as a ratio counts
    assert facts["systems"]["est"]["songs"]["song0"]["windows"] == 3


def test_the_command_tells_stems_from_turns(tmp_path, truth, songs, capsys):
    folder = save(tmp_path / "est", songs, mixed(0.1))
    better = save(tmp_path / "better", songs, mixed(0.01))
    options = ["--beside", f"codec={better}", "--name", "ours"]
    options += ["--json", str(tmp_path / "score.json")]
    assert cli.main(["score", str(truth), str(folder), *options]) == 0
    shown = capsys.readouterr().out
    for word in ("ours", "codec", FLOOR, CEILING, "msdm", "active", "leak"):
        assert word in shown
    facts = json.loads((tmp_path / "score.json").read_text())
    assert list(facts["systems"]) == ["ours", "codec", FLOOR, CEILING]


def test_the_command_writes_markdown_and_refuses_what_is_for_turns(tmp_path, truth, songs, capsys):
    folder = save(tmp_path / "est", songs, mixed(0.1))
    path = tmp_path / "score.md"
    assert cli.main(["score", str(truth), str(folder), "--markdown", str(path)]) == 0
    assert path.read_text().count("\n| ---") == 3
    assert cli.main(["score", str(truth), str(folder), "--csv", "-"]) == 2
    assert "--csv" in capsys.readouterr().err
    assert cli.main(["score", str(truth), str(folder), "--beside", "nothing"]) == 2


def test_markdown_and_text_tell_the_same(tmp_path, truth, songs):
    score = score_separation(truth, {"est": save(tmp_path / "est", songs, mixed(0.2))})
    cell = f"{score.systems[0].sources[ALL].msdm.value_db:.2f}"
    assert cell in table_text(score)
    assert cell in table_markdown(score)


@pytest.mark.slow
def test_bss_eval_is_that_of_the_campaigns():
    pytest.importorskip("museval", exc_type=(ImportError, RuntimeError))
    truth = np.random.default_rng(0).normal(0, 0.1, (3, 1, 3000))
    truth[2] = 0
    found = truth + 0.1 * truth[[1, 0, 2]]
    medians = bss_eval(("bass", "drums", "piano"), truth, found, 1000)
    # 20 dB, and somewhat less: 512 taps of a filter explain some of the error away or add to it
    assert medians["bass"] == pytest.approx(20, abs=4)
    assert math.isnan(medians["piano"])
    assert median_of_songs([medians, medians])["bass"] == medians["bass"]


def test_bss_eval_that_is_not_there_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "museval.metrics", None)
    with pytest.raises(BadCall, match="pip install museval"):
        bss_eval(("bass",), np.ones((1, 1, 10)), np.ones((1, 1, 10)), 10)
