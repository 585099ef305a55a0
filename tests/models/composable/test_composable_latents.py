"""Training on latents made beforehand: as on the sound they are of, without a codec."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_composable import chance, tiny, tones

from diarize.cli import main
from diarize.codecs.fingerprint import fingerprint
from diarize.codecs.stft import STFTCodec
from diarize.corpora.latent_windows import LatentWindows
from diarize.errors import BadCall
from diarize.models.contract import Batch
from diarize.training.shipped import load_model

LATENTS = {"view": {"kind": "latents", "normalised": True}, "guided": False, "output": "direct"}


def windows(model, sound, **other):
    codec = model.view.codec
    loudness = sound.square().mean((1, 2)).sqrt()
    number = torch.full((len(sound),), int(fingerprint(codec), 16))
    told = {"codec": number, "loudness": loudness, **other}
    return LatentWindows(codec.encode(sound).latents, **told)


@pytest.mark.parametrize("other", [{}, LATENTS])
@pytest.mark.parametrize("phase", ["compose", "prior"])
def test_latents_cost_what_the_sound_they_are_of_costs(other, phase):
    one, two, sound = tiny(**other), tiny(**other), tones()
    for model in (one, two):
        model.begin(phase)
    of_sound = one.loss(Batch(sound), chance())
    of_latents = two.loss(windows(two, sound), chance())
    torch.testing.assert_close(of_latents.total, of_sound.total, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(two.view.total, one.view.total, rtol=1e-4, atol=1e-5)


def test_no_codec_runs(monkeypatch):
    model, sound = tiny(), tones()
    batch = windows(model, sound)
    model.begin("compose")
    monkeypatch.setattr(STFTCodec, "encode", lambda codec, audio: 1 / 0)
    assert bool(model.loss(batch, chance()).total.isfinite())


def test_made_mixtures_are_in_need_of_sound():
    model = tiny()
    model.begin("visit")
    with pytest.raises(BadCall, match=r"'visit' makes mixtures of sound.*corpus = 'stems'"):
        model.loss(windows(model, tones()), chance())


def test_latents_of_another_width_or_codec_are_refused_and_both_are_named():
    model, sound = tiny(), tones()
    model.begin("compose")
    wide = STFTCodec(128, 8000).encode(sound).latents
    batch = LatentWindows(wide, codec=torch.zeros(2, dtype=torch.long))
    with pytest.raises(BadCall, match=r"latents of 130 numbers.*'stft', 66 a frame at 8000 Hz"):
        model.loss(batch, chance())
    other = windows(model, sound, codec=torch.full((2,), 0xABC))
    with pytest.raises(BadCall, match=rf"codec 000000000abc; .* {fingerprint(model.view.codec)}"):
        model.loss(other, chance())


def test_latents_of_no_known_loudness_serve_a_model_that_asks_for_none():
    model = tiny()
    model.begin("compose")
    with pytest.raises(BadCall, match=r"view\.normalised = true of latents that cannot be"):
        model.loss(windows(model, tones(), loudness=None), chance())
    plain = tiny(**{**LATENTS, "view": {"kind": "latents", "normalised": False}})
    plain.begin("compose")
    assert bool(plain.loss(windows(plain, tones(), loudness=None), chance()).total.isfinite())


CONF = """
extends = '{folder}/composable_codec.toml'
[data]
window_s = 1.0
batch = 2
n_batches = 2
least_s = 0.0
[data.latents]
piece_s = 1.0
[model]
encoder = [6]
[model.decoder]
channels = [8, 12]
kernels = [3]
strides = [2]
[model.prior]
channels = [8, 12]
kernels = [3]
strides = [2]
[train.phases.compose]
epochs = 1
[train.phases.prior]
epochs = 1
"""


def save_track(place, seed):
    """A track as Slakh2100 has them."""
    (place / "stems").mkdir(parents=True)
    lines = ["stems:"]
    for number, (kind, program) in enumerate((("Bass", 33), ("Drums", 128))):
        noise = 0.1 * np.random.default_rng([seed, number]).standard_normal(3 * 22_050)
        soundfile.write(place / "stems" / f"S{number:02d}.flac", noise, 22_050)
        lines += [f"  S{number:02d}:", f"    inst_class: {kind}", "    audio_rendered: true"]
        lines += [f"    program_num: {program}", f"    is_drum: {str(program == 128).lower()}"]
    (place / "metadata.yaml").write_text("\n".join(lines) + "\n")


def test_stage_2_prepares_what_stage_3_trains_on_and_any_number_at_work_the_same(tmp_path):
    conf = tmp_path / "conf.toml"
    conf.write_text(CONF.format(folder=Path(__file__).parents[3] / "egs" / "slakh" / "conf"))
    for n_jobs in (1, 2):
        data = tmp_path / f"data{n_jobs}"
        for number in range(2):
            save_track(data / "train" / f"Track{number:05d}", number)
        said = ["--data", str(data), "--conf", str(conf)]
        assert main(["prepare", "stems", *said]) == 0
        for job in range(n_jobs):
            assert main(["prepare", "latents", *said, "--part", f"{job + 1}/{n_jobs}"]) == 0
    one, two = (sorted((tmp_path / name / "latents").rglob("*.npy")) for name in ("data1", "data2"))
    assert len(one) == len(two) == 4
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert main(["train", *said, "--exp", str(tmp_path / "exp")]) == 0
    assert load_model(tmp_path / "exp" / "model.safetensors").view.count > 0


def test_stage_3_without_stage_2_says_what_to_call(tmp_path, capsys):
    conf = tmp_path / "conf.toml"
    conf.write_text(CONF.format(folder=Path(__file__).parents[3] / "egs" / "slakh" / "conf"))
    save_track(tmp_path / "train" / "Track00000", 0)
    said = ["--data", str(tmp_path), "--conf", str(conf)]
    assert main(["prepare", "stems", *said]) == 0
    assert main(["train", *said, "--exp", str(tmp_path / "exp")]) == 1
    assert f"run diarize prepare latents --data {tmp_path} --conf" in capsys.readouterr().err
