import pytest
from pyannote.core import Annotation, Segment

from diarize.errors import BadCall, BadFile
from diarize.formats.rttm import read_rttm, recording_id, rttm_text, save_rttm

GOOD = "SPEAKER call 1 1.000 2.500 <NA> <NA> ann <NA> <NA>"


@pytest.fixture
def rttm(tmp_path):
    def write(text):
        path = tmp_path / "some.rttm"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def turns(annotation):
    return [(s.start, s.end, label) for s, _, label in annotation.itertracks(yield_label=True)]


def test_turns_are_read_by_recording(rttm):
    found = read_rttm(rttm(f"{GOOD}\nSPEAKER b 1 0 1 <NA> <NA> x <NA> <NA>\n"))
    assert list(found) == ["b", "call"]
    assert turns(found["call"]) == [(1.0, 3.5, "ann")]
    assert found["call"].uri == "call"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.rsplit(" ", 1)[0],  # nine fields
        f"\n;; a comment\n\t{GOOD}  \r\n\n",
        f"\ufeff{GOOD}\n",
        f"SPKR-INFO call 1 <NA> <NA> <NA> unknown ann <NA>\n{GOOD}",
        f"LEXEME call 1 1 0.2 hello lex ann 1\n{GOOD}",
    ],
    ids=["nine fields", "blank lines, comments, CRLF", "byte-order mark", "info", "words"],
)
def test_what_other_tools_write_is_understood(rttm, text):
    assert turns(read_rttm(rttm(text))["call"]) == [(1.0, 3.5, "ann")]


def test_overlapping_and_repeated_turns_of_one_speaker_are_kept(rttm):
    again = "SPEAKER call 1 3 2 <NA> <NA> ann <NA> <NA>"
    found = read_rttm(rttm(f"{GOOD}\n{again}\n{again}\n"))
    assert turns(found["call"]) == [(1.0, 3.5, "ann"), (3.0, 5.0, "ann"), (3.0, 5.0, "ann")]


def test_an_empty_file_is_silence(rttm):
    assert read_rttm(rttm("")) == {}
    assert read_rttm(rttm("\n \n;; nobody\n")) == {}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("SPEAKER call 1 -0.5 1 <NA> <NA> ann <NA> <NA>", "start '-0.5'"),
        ("SPEAKER call 1 1 -1 <NA> <NA> ann <NA> <NA>", "duration '-1'"),
        ("SPEAKER call 1 1 0.000 <NA> <NA> ann <NA> <NA>", "duration '0.000'"),
        ("SPEAKER call 1 one 1 <NA> <NA> ann <NA> <NA>", "start 'one'"),
        ("SPEAKER call 1 1,5 1 <NA> <NA> ann <NA> <NA>", "start '1,5'"),
        ("SPEAKER call 1 1_0 1 <NA> <NA> ann <NA> <NA>", "start '1_0'"),
        ("SPEAKER call 1 1 nan <NA> <NA> ann <NA> <NA>", "duration 'nan'"),
        ("SPEAKER call 1 inf 1 <NA> <NA> ann <NA> <NA>", "start 'inf'"),
        ("SPEAKER call 1 1 1e999 <NA> <NA> ann <NA> <NA>", "duration '1e999'"),
        ("SPEAKER call 1 1 1 <NA> <NA> ann", "8 fields"),
        ("SPEAKER my call 1 1 1 <NA> <NA> ann <NA> <NA>", "11 fields"),
        ("SPEAKER", "1 fields"),
        ("speaker call 1 1 1 <NA> <NA> ann <NA> <NA>", "type 'speaker'"),
        ("Ann said hello", "type 'Ann'"),
    ],
)
def test_a_bad_line_is_named_with_what_was_found(rttm, line, found):
    path = rttm(f"{GOOD}\n\n{line}\n")
    with pytest.raises(BadFile) as caught:
        read_rttm(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 3: found ")
    assert found in message
    assert "\n" not in message


def test_bytes_that_are_no_text_are_named_with_their_line(rttm):
    with pytest.raises(BadFile, match=r"some\.rttm, line 2: found the byte 0xff"):
        read_rttm(rttm(GOOD.encode() + b"\nSPEAKER \xff\n"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"nobody\.rttm: cannot be read \(No such file"):
        read_rttm(tmp_path / "nobody.rttm")
    with pytest.raises(BadFile, match="Is a directory"):
        read_rttm(tmp_path)


def test_turns_are_written_sorted_and_both_ends_rounded():
    annotation = Annotation()
    annotation[Segment(2.0004, 3.0006)] = "b"
    annotation[Segment(0, 2.0004)] = "b"
    annotation[Segment(0, 2.0004), 2] = "a"
    annotation[Segment(5, 5.0004)] = "a"  # rounds to nothing
    assert rttm_text(annotation, "x") == (
        "SPEAKER x 1 0.000 2.000 <NA> <NA> a <NA> <NA>\n"
        "SPEAKER x 1 0.000 2.000 <NA> <NA> b <NA> <NA>\n"
        "SPEAKER x 1 2.000 1.001 <NA> <NA> b <NA> <NA>\n"
    )


def test_what_is_written_is_read_back(tmp_path):
    annotation = Annotation()
    annotation[Segment(0.125, 2)] = "Zoë"
    annotation[Segment(0.125, 2), 1] = "李"
    save_rttm(tmp_path / "new" / "a.rttm", {"réunion": annotation, "empty": Annotation()})
    found = read_rttm(tmp_path / "new" / "a.rttm")
    assert list(found) == ["réunion"]
    assert turns(found["réunion"]) == [(0.125, 2.0, "Zoë"), (0.125, 2.0, "李")]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.rttm"]


def test_nothing_half_written_is_left_when_the_folder_refuses(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadFile, match="cannot be written"):
        save_rttm(tmp_path / "file" / "a.rttm", {"x": Annotation()})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_turn_before_zero_cannot_be_written():
    annotation = Annotation()
    annotation[Segment(-1, 2)] = "a"
    with pytest.raises(BadCall, match="from -1 s to 2 s"):
        rttm_text(annotation, "x")


def test_two_speakers_cannot_become_one_word():
    annotation = Annotation()
    annotation[Segment(0, 2)] = "ann b"
    annotation[Segment(3, 4)] = "ann_b"
    with pytest.raises(BadCall, match="'ann_b'"):
        rttm_text(annotation, "x")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b/my call.wav", "my_call"),
        ("two\nlines\t.wav", "two_lines_"),
        ("réunion 李.m4a", "réunion_李"),
        ("meeting.v2.wav", "meeting.v2"),
        ("no\u00a0break\u2028.wav", "no_break_"),
        ("\udcff.wav", "_"),
        ("", "_"),
        (";;comment.wav", "_;comment"),
    ],
)
def test_a_recordings_id_is_one_word_made_from_its_stem(path, name):
    assert recording_id(path) == name
    assert name.encode()  # can be written
