import struct

import pytest
from made_music import save_soundfont

from diarize.corpora.soundfont import find_soundfonts, pooled, read_soundfont
from diarize.errors import BadFile


def test_the_presets_of_a_class_are_those_of_its_programs_and_of_low_banks(tmp_path):
    presets = ((0, 33), (8, 38), (0, 48), (127, 33), (128, 0), (128, 16), (128, 48))
    font = read_soundfont(save_soundfont(tmp_path / "made.sf2", presets))
    assert [(one.bank, one.number) for one in font.players("bass")] == [(0, 33), (8, 38)]
    assert [one.number for one in font.players("drums")] == [0, 16]
    assert font.players("piano") == []
    assert font.name == "made"


def test_a_program_is_played_by_its_plain_preset_and_drums_by_the_standard_kit(tmp_path):
    font = read_soundfont(save_soundfont(tmp_path / "made.sf2"))
    assert [one.name for one in font.plain(33)] == ["Preset 33"]
    assert font.plain(128)[0].bank == 128
    assert font.plain(40) == []


def test_several_soundfonts_are_one_and_each_preset_knows_its_file(tmp_path):
    kits = read_soundfont(save_soundfont(tmp_path / "kits.sf2", ((128, 0), (128, 8))))
    strings = read_soundfont(save_soundfont(tmp_path / "strings.sf2", ((0, 25), (0, 33))))
    both = pooled([kits, strings, kits])
    assert both.name == "kits+strings+kits"
    assert [one.path.stem for one in both.players("drums")] == ["kits"] * 4
    assert [one.path for one in both.plain(33)] == [tmp_path / "strings.sf2"]
    assert len(both.plain(128)) == 2


def test_a_soundfont_that_is_cut_short_says_by_how_much(tmp_path):
    path = save_soundfont(tmp_path / "made.sf2")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(BadFile, match=f"{len(whole) - 10} bytes, and says it has {len(whole)}"):
        read_soundfont(path)


@pytest.mark.parametrize("content", [b"", b"RIFF\0\0\0\0WAVE", b"sfbk" * 10])
def test_what_is_no_soundfont_is_named(tmp_path, content):
    path = tmp_path / "broken.sf2"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"broken\.sf2"):
        read_soundfont(path)


def test_a_soundfont_whose_lists_are_damaged_has_no_presets(tmp_path):
    path = save_soundfont(tmp_path / "made.sf2")
    path.write_bytes(path.read_bytes().replace(b"phdr", b"xxxx"))
    with pytest.raises(BadFile, match="without presets"):
        read_soundfont(path)


def test_odd_samples_without_the_byte_that_evens_them_are_read_as_in_sf3(tmp_path):
    path = save_soundfont(tmp_path / "made.sf3")
    presets = read_soundfont(path).presets
    content = path.read_bytes()
    for name, to_size in ((b"RIFF", 4), (b"LIST" + content[content.index(b"sdta") - 4 :][:4], 4)):
        at = content.index(name) + to_size
        content = content[:at] + _one_less(content[at : at + 4]) + content[at + 4 :]
    at = content.index(b"smpl") + 4
    end = at + 4 + struct.unpack("<I", content[at : at + 4])[0]
    content = (
        content[:at] + _one_less(content[at : at + 4]) + content[at + 4 : end - 1] + content[end:]
    )
    path.write_bytes(content)
    assert read_soundfont(path).presets == presets


def _one_less(size):
    return struct.pack("<I", struct.unpack("<I", size)[0] - 1)


def test_the_earlier_folder_has_precedence(tmp_path):
    first, second = (save_soundfont(tmp_path / name / "made.sf2") for name in ("a", "b"))
    assert find_soundfonts([first.parent, second.parent, tmp_path / "none"]) == {"made": first}
