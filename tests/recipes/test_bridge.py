"""The experiment of egs/simulated's section "Bridge": its confs, and what it is judged by."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from diarize.config import build, read_toml
from diarize.inference.scene_supply import SceneSettings
from diarize.models import make_model
from diarize.training.settings import TrainSettings

ROOT = Path(__file__).parents[2]
CONFS = {
    name: read_toml(ROOT / "egs" / "simulated" / "conf" / f"{name}.toml")
    for name in ("bridge", "bridge_cross", "bridge_both")
}
sys.path.insert(0, str(ROOT / "recipes" / "diarization"))

import paired_der  # noqa: E402
import voice_leakage  # noqa: E402

sys.path.remove(str(ROOT / "recipes" / "diarization"))


def test_the_three_trainings_differ_in_the_two_weights_alone():
    terms = {}
    for name, tables in CONFS.items():
        model = dict(tables["model"])
        terms[name] = (model.pop("cross_weight"), model.pop("augment_weight"))
        assert {**tables, "model": model} == {
            **CONFS["bridge"],
            "model": {"name": "msvae_speech"},
        }
    assert terms["bridge"] == (0.0, 0.0)
    assert terms["bridge_cross"][0] > 0 == terms["bridge_cross"][1]
    assert terms["bridge_both"][0] == terms["bridge_cross"][0]
    assert terms["bridge_both"][1] > 0


@pytest.mark.parametrize("name", CONFS)
def test_each_can_be_trained_from_the_weights_that_ship(name):
    tables = CONFS[name]
    data = {key: one for key, one in tables["data"].items() if key != "corpus"}
    assert build(SceneSettings, data, "[data]").places
    settings = build(TrainSettings, tables["train"], "[train]")
    assert settings.start == "attributor"
    with torch.device("meta"):
        made = make_model(tables["model"]["name"], tables["model"], "[model]")
    assert settings.phases_of(made.phases)
    card = json.loads((ROOT / "diarize" / "weights" / "attributor.json").read_text())
    own = {"cross_weight", "augment_weight"}
    for key, value in card["model"]["settings"].items():
        assert key in own or getattr(made.settings, key) == value


def scored(path, **errors):
    """A score of two recordings of 10 and 30 s, with these errors in seconds."""
    kinds = {"missed_s": (0, 0), "false_alarm_s": (0, 0), "confusion_s": (0, 0), **errors}
    recordings = [
        {
            "recording": name,
            "rates": {"full": {"total_s": total_s, **{k: v[place] for k, v in kinds.items()}}},
        }
        for place, (name, total_s) in enumerate((("a", 10.0), ("b", 30.0)))
    ]
    path.write_text(json.dumps({"recordings": recordings}))
    return paired_der.seconds(path)


def test_a_paired_difference_by_hand(tmp_path):
    control = scored(tmp_path / "a.json", missed_s=(1.0, 3.0), confusion_s=(2.0, 0.0))
    other = scored(tmp_path / "b.json", missed_s=(0.5, 1.5), confusion_s=(2.0, 2.0))
    # each recording loses 5 % of itself in miss, whatever is drawn
    assert paired_der.difference(control, other, "miss") == pytest.approx((-5.0, -5.0, -5.0))
    mean, low, high = paired_der.difference(control, other, "DER")
    assert mean == pytest.approx(0.0)
    assert (low, high) == pytest.approx((-5.0, 100 * 0.5 / 30))  # a twice, or b twice


def test_scores_of_other_recordings_are_refused(tmp_path):
    control = scored(tmp_path / "a.json")
    with pytest.raises(SystemExit, match="different recordings"):
        paired_der.difference(control, {"c": control["a"]}, "DER")


def recording(codes, speaker=(), latents=(), heard_s=None):
    """What is told of one recording: codes of speaker and place, the same in all draws."""
    codes = np.repeat(np.array(codes, dtype=np.float32)[:, None], voice_leakage.DRAWS, 1)
    times = np.ones(codes.shape[:3]) if heard_s is None else heard_s
    return voice_leakage.Told(np.array(latents), np.array(speaker), codes, times, times)


def test_codes_are_found_among_those_there_are():
    same, turned = [[1, 0], [1, 0.1]], [[0, 1], [0.1, 1]]
    mixed = recording([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[np.nan] * 2] * 2])
    found = voice_leakage.codes_found([recording([same, turned]), mixed], anywhere=False)
    # the second has both for the other, and one without two places
    assert (found.share, found.chance) == (0.5, 0.5)
    apart = [recording([same]), recording([turned])]
    found = voice_leakage.codes_found(apart, anywhere=True)
    assert (found.share, found.chance) == (1.0, 0.5)


def test_latents_that_know_the_speaker_tell_him_and_others_do_not():
    speaker = np.arange(400) % 2
    noise = np.random.default_rng(0).normal(size=(400, 3))
    knowing = recording([[[1, 0], [1, 0]]], speaker, noise + 4 * speaker[:, None])
    blind = recording([[[1, 0], [1, 0]]], speaker, noise)
    found = voice_leakage.speakers_of_latents([knowing, knowing])
    assert found.share > 0.95
    assert found.chance == 0.5
    assert voice_leakage.speakers_of_latents([blind, blind]).share < 0.6


def test_what_a_code_tells_of_its_place_is_told_by_others():
    chance = np.random.default_rng(1)
    codes = chance.normal(size=(30, 2, 2))
    places = np.repeat(codes[:, None, :, 0], voice_leakage.DRAWS, 1)
    knowing = recording(codes, heard_s=places)
    assert voice_leakage.fact_of_codes([knowing], [knowing] * 2, "heard_s").share > 0.9
    blind = recording(chance.normal(size=(30, 2, 2)), heard_s=places)
    found = voice_leakage.fact_of_codes([knowing], [blind] * 2, "heard_s")
    assert found.share < 0.75
    assert found.chance == pytest.approx(0.5, abs=0.01)


def test_a_rate_less_another_is_of_the_same_recordings():
    one = voice_leakage.Rate([6.0, 12.0], [10.0, 20.0], 0.3)
    other = voice_leakage.Rate([5.0, 10.0], [10.0, 20.0], 0.3)
    assert one.less(other) == pytest.approx((0.1, 0.1, 0.1))
    assert str(one) == "0.600 (0.600-0.600)   chance 0.300"
