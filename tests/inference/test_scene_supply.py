"""Scenes to train on: the same from the same seed, true to who talks, casts as they are met."""

from dataclasses import fields, replace
from itertools import islice

import numpy as np
import pytest
import torch
from made_heard import N_DIMENSIONS, Pure, made_heard, talk_of

from diarize.corpora.supplies import make_supply
from diarize.errors import BadCall, BadFile
from diarize.features.segmentation import HOP_S
from diarize.formats.manifest import Recording, write_manifest
from diarize.inference import scene_supply
from diarize.inference.heard_files import save_heard
from diarize.inference.known_recording import bridged
from diarize.inference.scene_supply import SceneSettings, SceneSupply, prepare_scenes

EYE = np.eye(N_DIMENSIONS)
N_FRAMES = 1200  # 20 s
ALTERNATE = [[(1.0, 6.0), (11.0, 15.0)], [(6.5, 10.0), (15.5, 19.0)]]
OTHERS = [[(0.5, 9.0)], [(8.0, 17.0)], [(16.0, 20.0)]]
SMALL = SceneSettings(n_batches=3, batch=4, window_s=4.0)


def save(path, spans, voices, n_frames=N_FRAMES):
    heard = made_heard(spans, n_frames, voices, seed=len(spans))
    save_heard(path, heard, talk_of(spans, n_frames))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings, nobody of the one in the other."""
    folder = tmp_path_factory.mktemp("scenes")
    save(folder / "heard" / "a.safetensors", ALTERNATE, EYE[:2])
    save(folder / "heard" / "b.safetensors", OTHERS, EYE[2:5])
    return folder


@pytest.fixture(autouse=True)
def pure(monkeypatch):
    """Pure voices instead of those of the real network."""
    monkeypatch.setattr(scene_supply, "load_speaker_network", lambda name: Pure())


def scenes_of(folder, n_epochs=1, **changes):
    """All scenes of so many epochs, one at a time."""
    supply = SceneSupply(folder, replace(SMALL, **changes))
    for epoch in range(n_epochs):
        for batch in supply.epoch("conversations", epoch):
            for row in range(len(batch)):
                yield {
                    field.name: getattr(batch, field.name)[row]
                    for field in fields(batch)
                    if getattr(batch, field.name) is not None
                }


def same(one, other):
    return all(
        getattr(one, field.name) is None
        or torch.equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(one)
    )


def test_the_same_seed_gives_the_same_batches(folder):
    once, again = (list(SceneSupply(folder, SMALL).epoch("conversations", 2)) for _ in range(2))
    assert len(once) == 3
    assert all(same(one, other) for one, other in zip(once, again, strict=True))


def test_another_seed_epoch_or_phase_gives_others(folder):
    first = next(SceneSupply(folder, SMALL).epoch("conversations", 0))
    reseeded = next(SceneSupply(folder, replace(SMALL, seed=1)).epoch("conversations", 0))
    later = next(SceneSupply(folder, SMALL).epoch("conversations", 1))
    elsewhere = next(SceneSupply(folder, SMALL).epoch("more", 0))
    for other in (reseeded, later, elsewhere):
        assert not torch.equal(first.mel, other.mel)


def test_an_epoch_goes_on_from_its_middle(folder):
    supply = SceneSupply(folder, SMALL)
    assert supply.n_batches("conversations") == 3
    whole = list(supply.epoch("conversations", 0))
    rest = list(SceneSupply(folder, SMALL).epoch("conversations", 0, start=1))
    assert len(rest) == 2
    assert all(same(one, other) for one, other in zip(whole[1:], rest, strict=True))
    assert list(supply.epoch("conversations", 0, start=3)) == []


def test_a_batch_is_as_long_and_as_large_as_is_asked_for(folder):
    for batch in SceneSupply(folder, SMALL).epoch("conversations", 0):
        n_frames = 2 * round(4.0 / HOP_S / 2)
        assert batch.mel.shape == (4, n_frames, 80)
        assert batch.is_frame.all()
        assert batch.patterns.shape == batch.local.shape
        assert torch.isfinite(batch.mel).all()
        assert set(batch.pause_s.tolist()) <= {float(np.float32(s)) for s in SMALL.pauses_s}


def test_a_recording_shorter_than_a_scene_is_filled_up(tmp_path):
    save(tmp_path / "heard" / "short.safetensors", [[(0.5, 1.5)]], EYE[:1], n_frames=121)
    for one in scenes_of(tmp_path, window_s=4.0):
        assert one["is_frame"].tolist() == [True] * 121 + [False]
        assert not one["patterns"][121:].any()


def owner(profile):
    """Whose voice each of these is."""
    return profile.argmax(dim=1)


def true_patterns(one, n_dimensions=N_DIMENSIONS):
    """Who talks in each frame, told from the features of the voice."""
    return one["inputs"][:, :n_dimensions] > 0.5


def test_true_speakers_talk_when_their_voices_sound(folder):
    n_talks = 0
    changes = {"found_share": 0.0, "stranger_share": 0.0, "impure_share": 0.0}
    for one in scenes_of(folder, 2, **changes, pauses_s=(0.02,)):
        sounds = true_patterns(one)
        for place in torch.nonzero(one["is_there"])[:, 0]:
            talks = one["patterns"][:, place] == 1
            whose = owner(one["profile"])[place]
            assert (talks == sounds[:, whose]).float().mean() > 0.97
            n_talks += int(talks.sum())
    assert n_talks > 500


def test_pauses_count_as_speech_as_the_scene_says(folder):
    long = [one for one in scenes_of(folder, 2, found_share=0.0, pauses_s=(2.0,), window_s=15.0)]
    assert all(one["pause_s"] == 2.0 for one in long)
    # the voices of b are silent for no longer; those of a pause for five seconds
    changes = sum(int(one["patterns"].diff(dim=0).abs().sum()) for one in long)
    assert changes > 0


def test_a_stranger_never_talks(folder):
    n_strangers = 0
    changes = {"found_share": 0.0, "stranger_share": 1.0, "leave_out": 1.0}
    for one in scenes_of(folder, 3, **changes):
        assert not one["patterns"].any()
        n_there = int(one["is_there"].sum())
        assert n_there <= 1  # all others are left out
        n_strangers += n_there
    assert n_strangers > 5


def test_with_strangers_among_them_true_speakers_still_talk(folder):
    n_talks = 0
    changes = {"found_share": 0.0, "stranger_share": 1.0, "leave_out": 0.0, "impure_share": 0.0}
    for one in scenes_of(folder, 2, **changes):
        here = set(torch.nonzero(one["inputs"].amax(0) > 0.5)[:, 0].tolist())
        for place in torch.nonzero(one["is_there"])[:, 0]:
            whose = int(owner(one["profile"])[place])
            if whose not in here:
                assert not one["patterns"][:, place].any()
            n_talks += int(one["patterns"][:, place].sum())
    assert n_talks > 500


@pytest.mark.parametrize("n_speakers", [1, 2, 5])
@pytest.mark.parametrize("found_share", [0.0, 1.0])
def test_a_cast_has_no_more_speakers_than_it_may(folder, n_speakers, found_share):
    sizes = {
        int(one["is_there"].sum())
        for one in scenes_of(folder, 2, n_speakers=n_speakers, found_share=found_share)
    }
    assert max(sizes) <= n_speakers
    assert max(sizes) == min(n_speakers, 3) or n_speakers == 5


def test_if_too_many_are_there_those_stay_who_talk_most(folder):
    changes = {"found_share": 0.0, "stranger_share": 0.0, "leave_out": 0.0, "n_speakers": 1}
    for one in scenes_of(folder, 2, **changes, pauses_s=(0.02,), impure_share=0.0):
        talk = true_patterns(one).sum(dim=0)
        if talk.max() > 1.1 * talk.sort().values[-2] + 5:
            assert int(owner(one["profile"])[0]) == int(talk.argmax())


def test_speakers_come_in_any_order(folder):
    changes = {"found_share": 0.0, "stranger_share": 0.0, "leave_out": 0.0}
    orders = {tuple(owner(one["profile"])[:2].tolist()) for one in scenes_of(folder, 3, **changes)}
    assert {(0, 1), (1, 0)} <= orders


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """A recording whose first speaker sounds in two ways, as if he were two people.

    The segmentation takes him for one.
    """
    folder = tmp_path_factory.mktemp("split")
    one, two = EYE[0], 0.45 * EYE[0] + np.sqrt(1 - 0.45**2) * EYE[1]
    spans = [[(0.5, 8.0)], [(8.5, 10.5)], [(11.0, 19.5)]]
    heard = made_heard(spans, N_FRAMES, np.array([one, two, EYE[2]]))
    heard.voices.units.place[heard.voices.units.place == 1] = 0
    apart = talk_of(spans, N_FRAMES)
    save_heard(
        folder / "heard" / "split.safetensors", heard, np.array([apart[0] | apart[1], apart[2]])
    )
    return folder


def test_of_two_found_voices_of_one_speaker_the_lesser_is_silent(split):
    n_double = 0
    for one in scenes_of(split, 3, found_share=1.0, window_s=18.0, pauses_s=(0.02,)):
        there = torch.nonzero(one["is_there"])[:, 0]
        of_first = [int(place) for place in there if one["profile"][place, :2].norm() > 0.9]
        talk = one["patterns"].sum(dim=0)
        if len(of_first) == 2:
            n_double += 1
            greater, lesser = sorted(of_first, key=lambda place: -float(one["heard_s"][place]))
            assert talk[lesser] == 0
            sounds = int((one["inputs"][:, :2].norm(dim=1) > 0.9).sum())
            assert abs(int(talk[greater]) - sounds) <= 4  # what the lesser says is his, too
    assert n_double > 3


def test_found_casts_may_be_too_few_and_too_many(split):  # of two who seem different
    sizes = {int(one["is_there"].sum()) for one in scenes_of(split, 3, found_share=1.0)}
    assert sizes == {1, 2, 3}


def test_in_found_casts_nobody_talks_twice(folder):
    for one in scenes_of(folder, 2, found_share=1.0, pauses_s=(0.02,)):
        n_talking = one["patterns"].sum(dim=1)
        n_true = true_patterns(one).sum(dim=1)
        assert (n_talking > n_true).float().mean() < 0.03  # but for the edges of turns


def test_where_no_voice_is_found_casts_are_of_true_speakers(tmp_path):
    heard = made_heard(ALTERNATE, N_FRAMES)
    none = replace(
        heard.voices.units,
        **{
            name: getattr(heard.voices.units, name)[:0]
            for name in ("statistic", "talk_s", "window", "place")
        },
    )
    silent = replace(heard, voices=replace(heard.voices, units=none))
    save_heard(tmp_path / "heard" / "a.safetensors", silent, talk_of(ALTERNATE, N_FRAMES))
    found = list(scenes_of(tmp_path, found_share=1.0, leave_out=0.0))
    assert max(int(one["is_there"].sum()) for one in found) == 2


def test_a_speaker_who_hardly_talks_has_no_profile(tmp_path):
    spans = [[(1.0, 15.0)], [(16.0, 16.1)]]
    save(tmp_path / "heard" / "a.safetensors", spans, EYE[:2])
    changes = {"found_share": 0.0, "leave_out": 0.0, "stranger_share": 0.0}
    for one in scenes_of(tmp_path, **changes):
        assert one["is_there"].sum() == 1


@pytest.mark.parametrize("impure", [0.0, 1.0])
def test_a_true_profile_may_have_others_in_it_but_less_than_it_has_of_its_own(folder, impure):
    changes = {"found_share": 0.0, "leave_out": 0.0, "stranger_share": 0.0, "impure_share": impure}
    purest = []
    for one in scenes_of(folder, 2, **changes):
        there = one["profile"][one["is_there"]]
        purest += there.amax(dim=1).tolist()
        assert (one["heard_s"] <= 1.25 * SMALL.most_profile_s).all()
    assert min(purest) > 0.9
    assert (min(purest) > 0.999) == (impure == 0.0)


def test_a_profile_rests_on_as_much_speech_as_the_settings_allow(folder):
    changes = {"found_share": 0.0, "leave_out": 0.0, "stranger_share": 0.0, "impure_share": 0.0}
    heard_s = [
        float(value)
        for one in scenes_of(folder, 2, **changes, least_profile_s=0.6, most_profile_s=2.0)
        for value in one["heard_s"][one["is_there"]]
    ]
    assert 0.6 - 0.02 <= min(heard_s) < 1.0
    assert 1.5 < max(heard_s) <= 2.0 + 0.02


def test_the_slope_of_a_spectrum_is_that_of_its_level(folder):
    plain = next(SceneSupply(folder, replace(SMALL, tilt_db=0.0)).epoch("conversations", 0))
    tilted = next(SceneSupply(folder, SMALL).epoch("conversations", 0))
    slope = (tilted.mel - plain.mel).mean(dim=1)
    torch.testing.assert_close(slope, tilted.typical - plain.typical, atol=1e-4, rtol=1e-4)
    steps = slope.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-3, rtol=1e-3)
    assert slope.mean(dim=1).abs().max() < 1e-3
    assert slope.abs().max() > 0.1


def test_short_pauses_are_bridged_and_longer_ones_and_edges_are_not():
    def row(pattern):
        return np.array([[letter == "#" for letter in pattern]])

    truth = row("..##.##..##...#..")
    assert (bridged(truth, 2 * HOP_S) == row("..#####..##...#..")).all()
    assert (bridged(truth, 2.5 * HOP_S) == row("..#########...#..")).all()
    assert (bridged(truth, 100.0) == row("..#############..")).all()
    assert (truth == row("..##.##..##...#..")).all()  # as it was
    assert not bridged(row("....."), 9.0).any()
    assert bridged(np.zeros((0, 5), bool), 9.0).shape == (0, 5)


def test_several_folders_are_one_supply(folder, tmp_path):
    for name, row in (("first", 0), ("second", 3)):
        path = tmp_path / name / "heard" / "x.safetensors"
        save(path, [[(0.5, 19.0)]], EYE[[row]])
    supply = SceneSupply(tmp_path, replace(SMALL, folders=("first", "second")))
    assert [path.parts[-3] for path in supply.paths] == ["first", "second"]
    batches = islice(supply.epoch("conversations", 0), 3)
    heard = {int(one) for batch in batches for one in batch.inputs.amax(1).argmax(1)}
    assert heard == {0, 3}


def test_a_folder_in_which_nothing_was_heard_is_refused(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for settings in (SMALL, replace(SMALL, folders=("empty",))):
        with pytest.raises(BadFile, match="nothing heard; run diarize prepare scenes first"):
            SceneSupply(tmp_path, settings)


def manifest_of(folder, names):
    write_manifest(
        folder / "manifest.jsonl",
        [Recording(name, folder / f"{name}.wav", folder / "truth.rttm") for name in names],
    )


def test_with_a_manifest_only_its_recordings_count_and_all_of_them_must_be_heard(tmp_path):
    for name in ("a", "left over"):
        save(tmp_path / "heard" / f"{name}.safetensors", [[(0.5, 1.5)]], EYE[:1], n_frames=120)
    assert len(SceneSupply(tmp_path, SMALL).paths) == 2
    manifest_of(tmp_path, ["a"])
    assert [path.stem for path in SceneSupply(tmp_path, SMALL).paths] == ["a"]
    manifest_of(tmp_path, ["a", "b"])
    with pytest.raises(BadFile, match="1 of 2 recordings heard; run diarize prepare scenes"):
        SceneSupply(tmp_path, SMALL)


def test_it_is_made_by_name_with_its_settings(folder):
    supply = make_supply("scenes", folder, {"batch": 2, "pauses_s": [0.5]}, "a.toml [data]")
    assert supply.settings == SceneSettings(batch=2, pauses_s=(0.5,))


def test_each_folder_is_prepared_in_turn(tmp_path, monkeypatch):
    prepared = []
    monkeypatch.setattr(scene_supply, "prepare_heard", lambda one, *_: prepared.append(one))
    assert prepare_scenes(tmp_path, SMALL) == tmp_path / "heard"
    several = replace(SMALL, folders=("one", "two"))
    assert prepare_scenes(tmp_path, several) == tmp_path / "one" / "heard"
    assert prepared == [tmp_path, tmp_path / "one", tmp_path / "two"]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"n_batches": 0}, "n_batches = 0; expected 1 or more"),
        ({"batch": 0}, "batch = 0; expected 1 or more"),
        ({"n_speakers": 0}, "n_speakers = 0; expected 1 or more"),
        ({"window_s": 0.5}, "window_s = 0.5; 1 to 60 seconds"),
        ({"window_s": 61.0}, "window_s = 61.0; 1 to 60 seconds"),
        ({"pauses_s": ()}, r"pauses_s = \[\]; numbers above 0"),
        ({"pauses_s": (0.5, 0.0)}, r"pauses_s = \[0.5, 0.0\]; numbers above 0"),
        ({"found_share": 1.5}, "found_share = 1.5; expected 0 to 1"),
        ({"leave_out": -0.1}, "leave_out = -0.1; expected 0 to 1"),
        ({"stranger_share": 2.0}, "stranger_share = 2.0; expected 0 to 1"),
        ({"impure_share": -1.0}, "impure_share = -1.0; expected 0 to 1"),
        ({"least_profile_s": 0.0}, "least_profile_s = 0.0"),
        ({"least_profile_s": 3.0, "most_profile_s": 2.0}, "most_profile_s = 2.0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, found):
    with pytest.raises(BadCall, match=found):
        SceneSettings(**settings)
