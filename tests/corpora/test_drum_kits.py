import tomllib

import numpy as np
import pytest
import soundfile

from diarize.corpora import avl_kits, hydrogen_kits
from diarize.corpora.avl_kits import avl_presets
from diarize.corpora.drum_kits import Layer, Part, balanced, kit_zones, levelled, tuned_keys
from diarize.corpora.hydrogen_kits import Stroke, hydrogen_presets, read_kit, read_stroke
from diarize.corpora.soundfont_file import Sample, Zone, ZonedPreset, save_soundfont
from diarize.errors import BadFile

RATE_HZ = 44100
XML = """<drumkit_info{namespace}><name>made</name><instrumentList>
<instrument><name>Kick</name><volume>0.3</volume>
 {open}<layer><filename>hard.wav</filename><min>0.5</min><max>1</max><gain>3</gain></layer>
 <layer><filename>soft.wav</filename><min>0</min><max>0.5</max></layer>{close}</instrument>
<instrument><name>Hat</name><filename>hat.wav</filename></instrument>
<instrument><name>Empty</name></instrument>
</instrumentList></drumkit_info>"""


def stroke(peak, low=0.0, high=1.0, length=100):
    samples = np.zeros(length)
    samples[0] = peak
    return Layer(samples, RATE_HZ, low, high, f"at {peak}")


def save_kit(folder, namespace="", within=("", "")):
    folder.mkdir(parents=True)
    xml = XML.format(namespace=namespace, open=within[0], close=within[1])
    (folder / "drumkit.xml").write_text(xml)
    for name, peak in (("hard", 0.8), ("soft", 0.05), ("hat", 0.6)):
        samples = np.zeros((4410, 2))
        samples[:2205] = peak
        soundfile.write(folder / f"{name}.wav", samples, RATE_HZ)
    return folder


@pytest.mark.parametrize(
    ("namespace", "within"),
    [
        ("", ("", "")),
        (' xmlns="http://www.hydrogen-music.org/drumkit"', ("", "")),
        ("", ("<instrumentComponent>", "</instrumentComponent>")),
    ],
)
def test_a_kit_of_hydrogen_is_read_in_each_form_that_it_had(tmp_path, namespace, within):
    folder = save_kit(tmp_path / "made", namespace, within)
    assert read_kit(folder) == {
        "Kick": [Stroke(folder / "hard.wav", 0.5, 1.0), Stroke(folder / "soft.wav", 0.0, 0.5)],
        "Hat": [Stroke(folder / "hat.wav", 0.0, 1.0)],
        "Empty": [],
    }


def test_a_stroke_ends_where_it_is_heard_no_more_and_is_faded(tmp_path):
    layer = read_stroke(Stroke(save_kit(tmp_path / "made") / "hat.wav", 0.0, 1.0))
    assert len(layer.samples) == 2205
    assert layer.samples[-1] == 0
    np.testing.assert_allclose(layer.samples[: 2205 - 882], 0.6, atol=1e-4)  # 20 ms


def test_the_map_puts_a_kit_on_the_keys_of_general_midi(tmp_path, monkeypatch):
    save_kit(tmp_path / "made")
    maps = tmp_path / "maps.toml"
    maps.write_text(
        '[fonts."A kit"]\nnumber = 8\n[fonts."A kit".keys.made]\n'
        "Hat = [42, [44, -100]]\nKick = [36]\n"
    )
    monkeypatch.setattr(hydrogen_kits, "MAPS", maps)
    (preset,) = hydrogen_presets(tmp_path, "fonts")
    assert (preset.bank, preset.number, preset.name) == (128, 8, "A kit")
    assert [(zone.keys, zone.cents, zone.choke) for zone in preset.zones] == [
        ((42, 42), 0, 1),
        ((44, 44), -100, 1),
        ((36, 36), 0, 0),
        ((36, 36), 0, 0),
    ]
    assert [zone.velocities for zone in preset.zones[2:]] == [(0, 64), (65, 127)]
    assert [zone.sample.name for zone in preset.zones[2:]] == ["soft.wav", "hard.wav"]


@pytest.mark.parametrize("wrong", ["Snare = [38]", "Empty = [38]", 'Kick = ["36"]'])
def test_what_a_map_names_and_a_kit_lacks_is_named(tmp_path, monkeypatch, wrong):
    save_kit(tmp_path / "made")
    (tmp_path / "maps.toml").write_text(f"[fonts.A]\nnumber = 0\n[fonts.A.keys.made]\n{wrong}\n")
    monkeypatch.setattr(hydrogen_kits, "MAPS", tmp_path / "maps.toml")
    with pytest.raises(BadFile, match=r"made.*(Snare|Empty|Kick)"):
        hydrogen_presets(tmp_path, "fonts")


def test_a_kit_that_is_not_there_or_damaged_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"gone/drumkit\.xml"):
        read_kit(tmp_path / "gone")
    (tmp_path / "drumkit.xml").write_text("<drumkit_info><name>")
    with pytest.raises(BadFile, match=r"drumkit\.xml: no drum kit"):
        read_kit(tmp_path)


def test_levelled_parts_keep_how_loud_they_are_to_one_another():
    parts = [Part(((36, 0),), (stroke(0.2), stroke(0.4))), Part(((38, 0),), (stroke(0.1),))]
    peaks = [layer.peak for part in levelled(parts) for layer in part.layers]
    assert peaks == pytest.approx([0.475, 0.95, 0.2375])


def test_balanced_parts_are_as_loud_as_such_drums_are_and_soft_strokes_a_little_softer():
    kick = Part(((36, 0), (35, 0)), (stroke(0.01), stroke(0.16)))
    others = [Part(((key, 0),), (stroke(0.9),)) for key in (42, 45, 54)]
    peaks = [layer.peak for part in balanced([kick, *others]) for layer in part.layers]
    assert peaks == pytest.approx([0.95 / 2, 0.95, 0.35, 0.8, 0.5])  # (1 / 16) ** .25 = 1 / 2


def test_velocities_change_halfway_between_the_strokes_and_leave_none_out():
    layers = stroke(0.9, 0.75, 1.0), stroke(0.1, 0.0, 0.25), stroke(0.5, 0.25, 0.75)
    zones = kit_zones([Part(((38, 0), (40, 100)), layers)])
    assert [zone.velocities for zone in zones] == [(0, 32), (33, 95), (96, 127)] * 2
    assert [zone.root for zone in zones] == [38] * 3 + [40] * 3
    assert zones[0].sample is zones[3].sample


def test_keys_of_a_table_that_cannot_be_meant_are_named():
    for wrong in ("36", [36, 0, 1], [36.0, 1]):
        with pytest.raises(BadFile, match=r"kit: .* expected a key"):
            tuned_keys([wrong], "kit")


def save_avl(path, keys, peaks=(0.2, 0.9, 0.5)):
    samples = [
        Sample.of(np.full(50, peak), RATE_HZ, f"{key}-Made-{number}")
        for key in keys
        for number, peak in enumerate(peaks)
    ]
    zones = tuple(Zone(sample, 60) for sample in samples)
    save_soundfont(path, [ZonedPreset(0, 0, "AVL", zones)], "made", "none", "")


def test_strokes_of_the_avl_kits_are_as_hard_as_they_are_loud(tmp_path):
    maps = tomllib.loads(avl_kits.MAPS.read_text())
    for preset in maps["presets"].values():
        save_avl(tmp_path / preset["file"], maps["keys"])
    pearl, zeppelin = avl_presets(tmp_path)
    assert (pearl.name, pearl.number, zeppelin.number) == ("Black Pearl", 0, 1)
    kick = [zone for zone in pearl.zones if zone.keys == (36, 36)]
    assert [zone.sample.name for zone in kick] == ["36-Made-0", "36-Made-2", "36-Made-1"]
    assert [zone.velocities for zone in kick] == [(0, 42), (43, 85), (86, 127)]
    assert np.abs(kick[-1].sample.sound).max() == pytest.approx(0.95, abs=1e-3)


def test_an_avl_kit_without_a_key_is_named(tmp_path):
    save_avl(tmp_path / "Black_Pearl_4_LV2.sf2", ["36"])
    with pytest.raises(BadFile, match=r"Black_Pearl_4_LV2\.sf2: no samples of its keys 37, 38"):
        avl_presets(tmp_path)


def test_every_kit_of_the_maps_has_the_drums_that_songs_play_most():
    hydrogen = tomllib.loads(hydrogen_kits.MAPS.read_text())
    kits = [preset["keys"] for font in hydrogen.values() for preset in font.values()]
    kits.append({"avl": tomllib.loads(avl_kits.MAPS.read_text())["keys"]})
    for kit in kits:
        tuned = [tuned_keys(said, "map") for keys in kit.values() for said in keys.values()]
        keys = [key for one in tuned for key, _ in one]
        assert len(keys) == len(set(keys)), "a key that two instruments play"
        assert {35, 36, 38, 40, 41, 42, 44, 45, 46, 47, 48, 49, 50, 51} <= set(keys)
