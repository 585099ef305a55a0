import pytest
from pyannote.core import Segment, Timeline

from diarize.errors import BadFile
from diarize.formats.uem import read_uem, save_uem


@pytest.fixture
def uem(tmp_path):
    def write(text):
        path = tmp_path / "some.uem"
        path.write_text(text)
        return path

    return write


def test_regions_that_overlap_or_touch_are_merged(uem):
    found = read_uem(uem("b 1 5 8\nb 1 0 2\nb 1 2 3\n;; note\nb 2 7 9\na NA 0.000 30.000\n"))
    assert list(found) == ["a", "b"]
    assert list(found["b"]) == [Segment(0, 3), Segment(5, 9)]
    assert found["a"].uri == "a"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a 1 5 5", "end '5' for the start '5'"),
        ("a 1 5 4.5", "end '4.5' for the start '5'"),
        ("a 1 -5 4.5", "start '-5'"),
        ("a 1 0 end", "end 'end'"),
        ("a 1 nan 4", "start 'nan'"),
        ("a 1 0 inf", "end 'inf'"),
        ("a 0 30", "3 fields"),
        ("my call 1 0 30", "5 fields"),
    ],
)
def test_a_bad_line_is_named_with_what_was_found(uem, line, found):
    path = uem(f"ok 1 0 1\n{line}\n")
    with pytest.raises(BadFile) as caught:
        read_uem(path)
    assert str(caught.value).startswith(f"{path}, line 2: found ")
    assert found in str(caught.value)


def test_what_is_written_is_read_back(tmp_path):
    regions = Timeline([Segment(10, 20.5), Segment(0, 2), Segment(1, 3)])
    save_uem(tmp_path / "a.uem", {"b c": regions, "a": Timeline([Segment(0, 1.25)])})
    assert (tmp_path / "a.uem").read_text() == (
        "a 1 0.000 1.250\nb_c 1 0.000 3.000\nb_c 1 10.000 20.500\n"
    )
    assert list(read_uem(tmp_path / "a.uem")["b_c"]) == [Segment(0, 3), Segment(10, 20.5)]
