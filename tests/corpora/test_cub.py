"""Birds and captions, on a miniature in the corpus's own layout."""

import json

import numpy as np
import pytest
from PIL import Image

from diarize.cli import main
from diarize.corpora.cub import CubSet, CubSettings, encoded, vocabulary, words_of
from diarize.corpora.supplies import make_supply, prepare
from diarize.errors import BadCall, BadFile

TABLE = {"side": 8, "n_captions": 2, "length": 6, "least_said": 1, "batch": 4}
N_EACH = 10


@pytest.fixture
def birds(tmp_path):
    """Three classes of ten images each, of one colour a class; two captions an image."""
    home, said = tmp_path / "CUB_200_2011", tmp_path / "text_c10"
    names, classes, directions = [], [], []
    for kind, colour in enumerate(["red", "green", "blue"]):
        folder = f"00{kind + 1}.{colour}_bird"
        (home / "images" / folder).mkdir(parents=True)
        (said / folder).mkdir(parents=True)
        for one in range(N_EACH):
            number = kind * N_EACH + one + 1
            Image.new("RGB", (20, 12), colour).save(home / "images" / folder / f"{one}.png")
            told = [f"A {colour} bird number{number}.", f"its wing is {colour}, and its tail too"]
            (said / folder / f"{one}.txt").write_text("\n".join(told) + "\n")
            names.append(f"{number} {folder}/{one}.png")
            classes.append(f"{number} {kind + 1}")
            directions.append(f"{number} {one % 2}")
    (home / "images.txt").write_text("\n".join(names))
    (home / "image_class_labels.txt").write_text("\n".join(classes))
    (tmp_path / "directions.txt").write_text("\n".join(directions[:-1]))
    (tmp_path / "clusters.txt").write_text("1 0\n3 1\n")
    return {**TABLE, "birds": str(home), "captions": str(said)}


def set_of(folder, table, part):
    from diarize.config import build

    return CubSet(folder, part, build(CubSettings, table, "the test"))


def test_each_image_stands_with_each_of_its_captions(birds, tmp_path):
    folder = tmp_path / "prepared"
    prepare("cub", folder, birds, "the test")
    train = set_of(folder, birds, "train")
    assert len(train) == 2 * 3 * (N_EACH - 4)
    values = train.values(np.arange(2))
    assert values.shape == (2, 3 * 64 + 6)
    np.testing.assert_array_equal(values[0, :192], values[1, :192])
    np.testing.assert_array_equal(values[0, :192].reshape(3, 64)[:, 0], [1, 0, 0])
    words = (folder / "vocabulary.txt").read_text().split()
    assert [words[int(number)] for number in values[0, 192:]] == [
        *("a", "red", "bird", "<exc>", ".", "<eos>"),
    ]
    assert train.labels == {"class": 3}
    told = json.loads((folder / "summary.json").read_text())
    assert told["n_words"] == len(words)
    assert told["view_sizes"] == [192, 6]


def test_no_image_is_of_two_parts_and_each_class_is_in_all(birds, tmp_path):
    folder = tmp_path / "prepared"
    prepare("cub", folder, birds, "the test")
    images = []
    for part in ("train", "dev", "test"):
        lines = (folder / f"names_{part}.txt").read_text().splitlines()
        images.append({line.split()[0] for line in lines})
        found = set_of(folder, birds, part)
        assert set(found.truths(np.arange(len(found)))[:, 0].tolist()) == {0, 1, 2}
    assert sum(map(len, images)) == len(set.union(*images)) == 3 * N_EACH


def test_clusters_leave_out_who_is_in_none_and_directions_are_the_image_s_own(birds, tmp_path):
    table = {
        **birds,
        "clusters": str(tmp_path / "clusters.txt"),
        "directions": str(tmp_path / "directions.txt"),
    }
    folder = tmp_path / "prepared"
    prepare("cub", folder, table, "the test")
    found = [set_of(folder, table, part) for part in ("train", "dev", "test")]
    truths = np.concatenate([one.truths(np.arange(len(one))) for one in found])
    assert len(truths) == 2 * 2 * N_EACH
    assert set(truths[:, 0].tolist()) == {0, 1}
    assert (truths[:, 2] == -1).all()
    assert sorted(set(truths[:, 1].tolist())) == [-1, 0, 1]
    assert (truths[:, 1] == -1).sum() == 2
    assert found[0].labels == {"cluster": 2, "direction": 2}


def test_batches_are_handed_out_by_name(birds, tmp_path):
    prepare("cub", tmp_path / "prepared", birds, "the test")
    supply = make_supply("cub", tmp_path / "prepared", birds, "the test")
    batch = next(iter(supply.epoch("views", 0)))
    assert batch.inputs.shape == (4, 198)
    assert supply.n_batches("views") == 9


def test_words_are_numbered_by_hand():
    words = vocabulary([words_of("Red red wing"), words_of("wing, wing")], 1)
    assert words == ("<exc>", "<pad>", "<eos>", "red", "wing")
    numbers = {word: number for number, word in enumerate(words)}
    assert encoded(("red", "tail"), numbers, 5).tolist() == [3, 0, 2, 1, 1]
    assert encoded(("red",) * 9, numbers, 3).tolist() == [3, 3, 2]


def test_files_that_are_not_as_they_should_be_are_named(birds, tmp_path):
    folder = tmp_path / "prepared"
    with pytest.raises(BadFile, match="2 captions; n_captions = 3"):
        prepare("cub", folder, {**birds, "n_captions": 3}, "the test")
    clusters = tmp_path / "clusters.txt"
    clusters.write_text("1 zero\n")
    with pytest.raises(BadFile, match="'zero' of 1; expected a number"):
        prepare("cub", folder, {**birds, "clusters": str(clusters)}, "the test")
    image = next((tmp_path / "CUB_200_2011" / "images").rglob("3.png"))
    image.write_bytes(b"no image")
    with pytest.raises(BadFile, match=r"3\.png: no image"):
        prepare("cub", folder, birds, "the test")
    (tmp_path / "CUB_200_2011" / "images.txt").unlink()
    with pytest.raises(BadFile, match=r"images\.txt"):
        prepare("cub", folder, birds, "the test")
    with pytest.raises(BadCall, match="under 1 together"):
        CubSettings(dev_share=0.5, test_share=0.5)


def test_birds_and_captions_go_all_the_way_from_files_to_scores(birds, tmp_path, capsys):
    data, exp, conf = tmp_path / "made", tmp_path / "exp", tmp_path / "tiny.toml"
    table = {**birds, "least_said": 0}
    n_words = json.loads(prepare("cub", data, table, "the test").read_text())["n_words"]
    tables = "\n".join(f"{name} = {json.dumps(value)}" for name, value in table.items())
    image = 'kind = "image"\nchannels = 3\nside = 8\nwidths = [2, 2]\n'
    words = f'kind = "words"\nn_words = {n_words}\nlength = 6\nwidths = [2, 3]\n'
    conf.write_text(
        f'[data]\ncorpus = "cub"\n{tables}\n[model]\nname = "idmvae"\nn_shared = 2\nn_private = 2\n'
        f'[[model.views]]\n{image}[[model.views]]\n{words}likelihood = "categorical"\n'
        "[model.diffusion]\nweight = 0.1\nn_steps = 4\nwidth = 4\nn_sampling = 2\n"
        "[train]\nthreads = 1\n[train.phases.views]\nepochs = 1\n"
        "[infer]\nn_train = 36\nn_made = 4\nn_samples = 4\nthreads = 1\n"
    )
    places = ["--conf", str(conf), "--data", str(data)]
    weights, result = str(exp / "train" / "model.safetensors"), str(exp / "result")
    assert main(["train", *places, "--exp", str(exp / "train")]) == 0
    assert main(["images", "infer", *places, "--model", weights, "-o", result]) == 0
    out = ["--result", result, "-o", str(exp / "score.json"), "--markdown", str(exp / "score.md")]
    assert main(["images", "score", *places, *out]) == 0
    told = capsys.readouterr()
    assert "z -> class" in told.out
