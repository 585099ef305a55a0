"""The rqtransformer's confs in egs/slakh can be used, and the smallest of them can be trained."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diarize.config import build
from diarize.corpora.stem_settings import StemSettings
from diarize.corpora.stems import prepare_stems
from diarize.corpora.supplies import make_supply
from diarize.inference.code_supply import CodeSettings
from diarize.inference.music import MusicMaker
from diarize.models.rqtransformer.config import RQTransformerSettings
from diarize.models.rqtransformer.model import RQTransformer
from diarize.training.loop import train
from diarize.training.settings import TrainSettings
from diarize.training.shipped import new_model

FOLDER = Path(__file__).parents[3] / "egs" / "slakh" / "conf"
CONFS = sorted(FOLDER.glob("rqtransformer*.toml"))


@pytest.mark.parametrize("path", CONFS, ids=lambda path: path.stem)
def test_every_table_of_a_conf_can_be_used_and_a_window_is_all_its_frames(path, settings_of):
    tables, settings = settings_of(path, RQTransformerSettings)
    if tables["data"]["corpus"] == "codes":
        data = build(CodeSettings, tables["data"], str(path))
        assert data.n_frames == settings.n_frames
    else:
        data = build(StemSettings, tables["data"], str(path))
        assert data.sources == settings.codec.sources
        assert data.n_samples == settings.n_frames * settings.codec.hop
    assert build(TrainSettings, tables["train"], str(path)).phases_of(RQTransformer.phases)


def test_the_full_size_can_be_made_and_has_the_depth_of_the_published_one(settings_of):
    """Made without its numbers."""
    tables, settings = settings_of(FOLDER / "rqtransformer_full.toml", RQTransformerSettings)
    assert (settings.n_blocks, settings.n_depth_blocks) == (12, 4)
    with torch.device("meta"):
        model = RQTransformer(settings)
    assert sum(one.numel() for one in model.parameters()) > 40e6
    assert tables["model"]["name"] == "rqtransformer"


def test_the_tiny_one_is_trained_and_makes_music(tmp_path, settings_of):
    noise = np.random.default_rng(0).standard_normal((4, 22_050 * 12)) * 0.1
    song = tmp_path / "train" / "Track00001"
    (song / "stems").mkdir(parents=True)
    lines = ["stems:"]
    for number, kind in enumerate(("Bass", "Drums", "Guitar", "Piano")):
        soundfile.write(song / "stems" / f"S{number:02d}.flac", noise[number], 22_050)
        lines += [f"  S{number:02d}:", f"    inst_class: {kind}", "    audio_rendered: true"]
        lines += [f"    program_num: {(33, 128, 25, 0)[number]}", "    is_drum: false"]
    (song / "metadata.yaml").write_text("\n".join(lines) + "\n")
    tables, _ = settings_of(FOLDER / "rqtransformer_tiny.toml", RQTransformerSettings)
    data = {
        **{key: one for key, one in tables["data"].items() if key != "corpus"},
        "parts": ["train"],
    }
    prepare_stems(tmp_path, build(StemSettings, data, "data"))
    supply = make_supply("stems", tmp_path, data, "data")
    own = {key: value for key, value in tables["model"].items() if key != "name"}
    model = new_model("rqtransformer", own, "model", 0)
    trained = train(model, supply, build(TrainSettings, tables["train"], "x"), tmp_path / "exp")
    maker = MusicMaker(trained.path)
    (made,) = maker.make(seconds=0.3)
    assert set(made.tracks.samples) == {"bass", "drums", "guitar", "piano"}
    assert np.isfinite(made.mixture).all()
