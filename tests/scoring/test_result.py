import csv
import io
import json
import math

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics import diarization as stock

from diarize.errors import BadCall
from diarize.formats.activity import Activity
from diarize.scoring.exports import csv_text, json_text
from diarize.scoring.pairing import Pair
from diarize.scoring.result import FAIR, FORGIVING, FULL, score
from diarize.scoring.table import Facts, table_rich, table_text

FACTS = Facts("ref.rttm", "0123456789abcdef" * 4, "hyp.rttm", "the regions of x.uem", ("odd",))


def annotation(*turns):
    return Annotation.from_records(
        (Segment(s, e), i, label) for i, (s, e, label) in enumerate(turns)
    )


@pytest.fixture
def pairs():
    scored = Timeline([Segment(0, 20)])
    return [
        Pair(
            "one",
            annotation((0, 10, "a"), (8, 12, "b")),
            annotation((1, 10, "x"), (10, 14, "y")),
            scored,
        ),
        Pair("two", annotation((0, 4, "a")), annotation((0, 4, 1), (5, 6, 2)), scored),
    ]


def test_all_together_is_a_ratio_of_sums(pairs):
    found = score(pairs)
    one, two = (recording.rates["full"] for recording in found.recordings)
    # one: 0-1 and 8-10 missed, 12-14 false, of 14; two: 5-6 false, of 4
    assert (one.total_s, one.missed_s, one.false_alarm_s, one.confusion_s) == (14, 3, 2, 0)
    assert (one.der, two.der) == (pytest.approx(5 / 14), 0.25)
    total = found.rates["full"]
    assert total.der == pytest.approx(6 / 18)
    assert (total.missed, total.correct) == (pytest.approx(3 / 18), pytest.approx(15 / 18))
    assert (total.false_alarm, total.confusion) == (pytest.approx(3 / 18), 0)
    # speakers: a 1 of 10 apart, b 4 of 6, a of two 0 of 4
    assert total.jer == pytest.approx((0.1 + 4 / 6 + 0) / 3)
    interval = found.der_interval["full"]
    assert interval.low == 0.25
    assert interval.high == pytest.approx(5 / 14)


def test_every_convention_is_the_stock_classes(pairs):
    found = score(pairs)
    for convention in (FULL, FAIR, FORGIVING):
        options = {"collar": convention.collar_s, "skip_overlap": convention.skip_overlap}
        der, jer = stock.DiarizationErrorRate(**options), stock.JaccardErrorRate(**options)
        for pair in pairs:
            der(pair.reference, pair.hypothesis, uem=pair.uem)
            jer(pair.reference, pair.hypothesis, uem=pair.uem)
        assert found.rates[convention.name].der == pytest.approx(abs(der), abs=1e-9)
        assert found.rates[convention.name].jer == pytest.approx(abs(jer), abs=1e-9)


def test_speakers_are_counted_where_it_is_scored(pairs):
    found = score(pairs, [FORGIVING])
    assert [(count.n_reference, count.n_hypothesis) for count in found.counts] == [(2, 2), (1, 2)]


def test_a_posterior_changes_the_correlation_and_nothing_else(pairs):
    found = score(pairs[1:])
    row = np.where(np.arange(2000) < 400, 0.9, 0.0)
    posterior = Activity(np.stack([row, 1 - row]), 0.01, ("1", "2"))
    sure = Pair("two", pairs[1].reference, pairs[1].hypothesis, pairs[1].uem, posterior)
    other = score([sure])
    assert other.rates == found.rates
    assert other.correlation == pytest.approx(1)
    assert other.recordings[0].from_posterior
    assert not found.recordings[0].from_posterior


def test_without_a_uem_the_extent_of_both_is_scored():
    found = score([Pair("x", annotation((5, 6, "a")), annotation((5, 9, "a")))])
    assert found.rates["full"].der == 3.0
    assert found.der_interval["full"] is None


def test_silence_found_silent_is_right():
    found = score([Pair("x", Annotation(), Annotation())])
    rates = found.rates["full"]
    assert (rates.der, rates.missed, found.counts[0].error) == (0, 0, 0)
    assert math.isnan(found.correlation)
    assert math.isnan(rates.correct)
    assert json.loads(json_text(found, FACTS))["total"]["correlation"] is None
    assert "TOTAL" in table_text(found, FACTS)


def test_a_recording_cannot_come_twice(pairs):
    with pytest.raises(BadCall, match="'one' twice"):
        score([pairs[0], pairs[0]])
    with pytest.raises(BadCall, match="no recordings"):
        score([])


def test_the_table_shows_parts_total_interval_and_what_they_mean(pairs):
    text = table_text(score(pairs), FACTS)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "recording speech DER miss FA conf correct JER speakers corr" in lines
    assert any(
        line.startswith("one 14.0 35.71 21.43 14.29 0.00 78.57 38.33 2/2 +0") for line in lines
    )
    assert any(
        line.startswith("TOTAL 18.0 33.33 16.67 16.67 0.00 83.33 25.56 50 % ok") for line in lines
    )
    assert "95 % from 25.00 0.00" in lines
    others = [line.split()[0] for line in lines if line.startswith(("fair ", "forgiving "))]
    assert others == ["fair", "forgiving"]
    flat = " ".join(text.split())
    for said in (
        "= 0.5 s, the total width, in pyannote.metrics",
        "Pearson correlation over the scored 10 ms frames",
        "scored: the regions of x.uem",
        "reference: ref.rttm (sha256 0123456789ab)",
        "note: odd",
    ):
        assert said in flat


def test_on_a_terminal_the_same_numbers_fit_eighty_columns(pairs):
    from rich.console import Console

    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    console.print(table_rich(score(pairs), FACTS))
    text = console.file.getvalue()
    assert "one 14.0 35.71 21.43 14.29 0.00 78.57 38.33 2/2 +0" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


def test_brackets_in_a_name_are_not_markup(pairs):
    from rich.console import Console

    odd = Pair("[red]one[/]", pairs[0].reference, pairs[0].hypothesis, pairs[0].uem)
    console = Console(width=120, file=io.StringIO())
    console.print(table_rich(score([odd]), FACTS))
    assert "[red]one[/]" in console.file.getvalue()


def test_json_holds_everything(pairs):
    values = json.loads(json_text(score(pairs, [FAIR]), FACTS))
    assert values["conventions"] == {
        "fair": {"name": "fair", "collar_s": 0.5, "skip_overlap": False}
    }
    assert [one["recording"] for one in values["recordings"]] == ["one", "two"]
    assert values["recordings"][0]["correlations"].keys() == {"a", "b"}
    assert values["total"]["count_exact_share"] == 0.5
    assert set(values["total"]["rates"]["fair"]) >= {"der", "jer", "missed", "der_interval"}
    assert values["reference_sha256"] == FACTS.reference_sha256


def test_csv_has_a_line_a_recording_and_convention_and_the_totals(pairs):
    rows = list(csv.DictReader(io.StringIO(csv_text(score(pairs, [FULL, FAIR])))))
    assert [(row["recording"], row["convention"]) for row in rows] == [
        ("one", "full"),
        ("one", "fair"),
        ("two", "full"),
        ("two", "fair"),
        ("TOTAL", "full"),
        ("TOTAL", "fair"),
    ]
    assert float(rows[4]["der"]) == pytest.approx(1 / 3)
    assert float(rows[4]["der_low"]) == 0.25
    assert rows[0]["der_low"] == ""
