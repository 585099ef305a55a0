"""Rows of separated mixtures, maps of latents, and learning curves: drawn as told."""

import numpy as np
import pytest

from diarize.errors import BadCall
from diarize.viz.curves import epoch_curves, learning_curves, loss_curve
from diarize.viz.images import RIGHT, WRONG, Separated, separations
from diarize.viz.latents import latent_map, latent_scatter, principal_plane
from diarize.viz.timeline import png


def row(classes=(1, 3), true=(1, 2), n_streams=5, with_truth=False):
    images = np.linspace(0, 1, 16).reshape(4, 4)
    posterior = np.linspace(0.1, 0.9, n_streams)
    truth = np.stack([images] * len(true)) if with_truth else None
    return Separated(
        2 * images, np.tile(images, (len(classes), 1, 1)), classes, true, posterior, truth
    )


def titles(axes):
    return [
        one.get_title() or one.get_title(loc="left") for one in axes if one.axison or one.images
    ]


def colour(text):
    return text.title.get_color()


def test_a_row_shows_the_mixture_its_streams_and_the_posterior():
    figure = separations([row()])
    assert titles(figure.axes) == ["true: 1, 2", "1", "3", "probability of each stream"]
    bars = [bar.get_height() for bar in figure.axes[-1].patches[:5]]
    assert bars == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_a_stream_that_is_not_there_is_in_the_colour_of_error():
    _, one, three, bars = separations([row()]).axes
    assert (colour(one), colour(three)) == (RIGHT, WRONG)
    from matplotlib.colors import to_hex

    hues = [to_hex(bar.get_facecolor()) for bar in bars.patches[:5]]
    assert hues == [WRONG, RIGHT, RIGHT, WRONG, WRONG]


def test_mixtures_keep_what_is_above_one_and_sources_their_range():
    mixture, source, *_ = separations([row()]).axes
    assert mixture.images[0].get_clim() == (0, 2)
    assert source.images[0].get_clim() == (0, 1)


def test_true_images_come_after_the_separated_ones():
    figure = separations([row(with_truth=True)], names=["a", "b", "c", "d", "e"])
    assert titles(figure.axes)[:5] == ["true: b, c", "b", "d", "true b", "true c"]


def test_rows_of_unequal_numbers_leave_places_empty():
    figure = separations([row(), row((), ()), row((0, 1, 2), (0,))])
    assert titles(figure.axes[5:10]) == ["true: none", ""]
    assert png(figure).startswith(b"\x89PNG")


def test_the_same_rows_give_the_same_bytes_and_touch_no_global_state():
    from matplotlib import pyplot

    settings = dict(pyplot.rcParams)
    first, second = (png(separations([row()])) for _ in range(2))
    assert first == second
    assert pyplot.get_fignums() == []
    assert dict(pyplot.rcParams) == settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: separations([]), "rows with no streams"),
        (lambda: separations([row(), row(n_streams=6)]), r"rows with \[5, 6\] streams"),
        (lambda: separations([row()], ["a"]), "1 names of streams for 5"),
        (lambda: row(true=(5,)), "class 5 of 5 streams; expected 0 to 4"),
        (
            lambda: Separated(np.ones((2, 2)), np.ones((1, 2, 2)), (), (), np.ones(3)),
            "1 sources of 0 classes",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(make, message):
    with pytest.raises(BadCall, match=message):
        make()


@pytest.fixture
def latents():
    """Deviations 3 and 2 along the first two axes, none along the third, about (1, 1, 1)."""
    corners = np.array([[3.0, 2, 0], [3, -2, 0], [-3, 2, 0], [-3, -2, 0]])
    return corners + 1


def test_the_plane_lies_along_the_largest_deviations(latents):
    plane = principal_plane(latents)
    assert plane.centre == pytest.approx([1, 1, 1])
    assert plane.directions == pytest.approx(np.array([[3.0, 0, 0], [0, 2, 0]]), abs=1e-12)
    assert plane.shares == pytest.approx((9 / 13, 4 / 13))
    assert plane.places(latents) == pytest.approx(np.array([[1, 1], [1, -1], [-1, 1], [-1, -1.0]]))


def test_the_grid_goes_from_the_top_left_as_the_picture_does(latents):
    points = principal_plane(latents).points(reach=2.0, n_steps=3)
    assert points[0, 0] == pytest.approx([1 - 6, 1 + 4, 1])
    assert points[1, 1] == pytest.approx([1, 1, 1])
    assert points[2, 2] == pytest.approx([1 + 6, 1 - 4, 1])


def test_data_all_alike_still_have_a_plane():
    plane = principal_plane(np.ones((3, 4)))
    assert plane.shares == (0, 0)
    assert np.all(plane.places(np.ones((3, 4))) == 0)


def test_a_map_lays_its_images_out_as_the_grid_lies():
    images = np.arange(4.0).reshape(2, 2, 1, 1).repeat(2, axis=2).repeat(3, axis=3) / 4
    (axes,) = latent_map(images, reach=2.0, title="a seven").axes
    sheet = axes.images[0].get_array()
    assert sheet.shape == (4, 6)
    assert sheet[0].tolist() == [0, 0, 0, 0.25, 0.25, 0.25]
    assert sheet[3].tolist() == [0.5, 0.5, 0.5, 0.75, 0.75, 0.75]
    assert axes.images[0].get_extent() == [-4, 4, -4, 4]  # the centres lie at -2 and 2
    assert axes.get_title(loc="left") == "a seven"


def test_each_class_has_its_points_and_its_name(latents):
    figure = latent_scatter(latents, np.array([0, 2, 2, 0]), ["zero", "one", "two"])
    (axes,) = figure.axes
    assert [len(points.get_offsets()) for points in axes.collections] == [2, 2]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["zero", "two"]
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: principal_plane(np.ones((1, 3))), "a plane takes two"),
        (lambda: principal_plane(np.full((3, 3), np.nan)), "NaN"),
        (lambda: latent_map(np.ones((0, 2, 3, 3))), "no images"),
        (lambda: latent_scatter(np.eye(3), np.array([0, 1, 2]), ["a"]), "found 1 names"),
    ],
)
def test_latents_without_a_picture_are_refused(make, message):
    with pytest.raises(BadCall, match=message):
        make()


def step(phase, epoch, number, total, n_steps=1):
    place = {"kind": "step", "phase": phase, "epoch": epoch, "step": number}
    return place | {"total": total, "n_steps": n_steps}


def end(phase, epoch, **numbers):
    return {"kind": "epoch", "phase": phase, "epoch": epoch} | numbers


JOURNAL = [
    step("experts", 0, 1, 9.0, 2),
    step("experts", 0, 3, 7.0, 2),
    end("experts", 0),
    step("mixtures", 0, 2, 100.0, 3),
    step("mixtures", 0, 3, 60.0, 1),
    end("mixtures", 0, pi_0=0.5, pi_1=0.4, pi_10=0.3, b=1.0, other=3),
    step("mixtures", 1, 2, 50.0, 3),
    end("mixtures", 1, pi_0=0.1, pi_1=0.2, pi_10=0.2, b=0.2),
]


def lines(axes):
    return [(one.get_xdata().tolist(), one.get_ydata().tolist()) for one in axes.get_lines()]


def shown(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.axison}


def test_each_phase_has_its_loss_and_priors_stand_where_there_are_some():
    panels = shown(learning_curves(JOURNAL))
    assert list(panels) == [
        "experts: loss, nats a datum",
        "mixtures: loss, nats a datum",
        "mixtures: pi of each stream",
        "mixtures: b, the noise scale",
    ]
    assert lines(panels["mixtures: b, the noise scale"]) == [([1, 2], [1.0, 0.2])]


def test_every_phase_says_its_epochs_below_its_last_panel():
    figure = learning_curves(JOURNAL)
    said = [title for title, axes in shown(figure).items() if axes.get_xlabel() == "epochs"]
    assert said == ["experts: loss, nats a datum", "mixtures: b, the noise scale"]
    assert [axes.get_xlim() for axes in shown(figure).values()] == [(0, 1)] + [(0, 2)] * 3


def test_a_step_stands_where_it_ends_and_weighs_by_what_it_tells_of():
    curves = loss_curve(JOURNAL, "mixtures")
    assert curves["steps"].epochs.tolist() == [0.75, 1.0, 1.75]
    assert curves["steps"].values.tolist() == [100, 60, 50]
    assert curves["epochs"].epochs.tolist() == [0.5, 1.375]  # the second is under way
    assert curves["epochs"].values.tolist() == [90, 50]
    assert loss_curve(JOURNAL, "refine") == {}


def test_streams_are_in_the_order_of_their_numbers():
    axes = shown(learning_curves(JOURNAL))["mixtures: pi of each stream"]
    assert [one.get_label() for one in axes.get_lines()] == ["0", "1", "10"]
    assert lines(axes)[2] == ([1, 2], [0.3, 0.2])


def test_what_the_data_were_made_with_is_a_broken_line():
    panels = shown(learning_curves(JOURNAL, true_pi=0.1, true_b=0.1))
    for title in ("mixtures: pi of each stream", "mixtures: b, the noise scale"):
        truth = panels[title].get_lines()[-1]
        assert truth.get_linestyle() == "--"
        assert set(truth.get_ydata()) == {0.1}


def test_each_stream_may_have_its_own_truth():
    axes = shown(learning_curves(JOURNAL, true_pi=[k / 20 for k in range(11)]))
    truths = [one for one in axes["mixtures: pi of each stream"].get_lines()][3:]
    assert [one.get_ydata()[0] for one in truths] == [0, 0.05, 0.5]
    with pytest.raises(BadCall, match="2 true pi; the journal has stream 10"):
        learning_curves(JOURNAL, true_pi=[0.1, 0.2])


def test_a_step_told_twice_counts_as_it_was_told_last():
    again = [*JOURNAL, step("mixtures", 1, 2, 40.0, 3), end("mixtures", 1, b=0.3)]
    assert loss_curve(again, "mixtures")["steps"].values.tolist() == [100, 60, 40]
    assert epoch_curves(again, "mixtures", ["b", "c"])["b"].values.tolist() == [1.0, 0.3]


def test_a_loss_that_was_no_number_is_a_gap():
    curves = loss_curve([step("a", 0, 0, None), step("a", 0, 1, 2.0)], "a")
    assert np.isnan(curves["steps"].values).tolist() == [True, False]
    assert png(learning_curves([step("a", 0, 0, None)])).startswith(b"\x89PNG")


def test_forty_streams_are_drawn_without_a_legend():
    numbers = {f"pi_{stream}": 0.1 for stream in range(40)}
    axes = shown(learning_curves([end("mixtures", 0, **numbers)]))["mixtures: pi of each stream"]
    assert len(axes.get_lines()) == 40
    assert axes.get_legend() is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows of steps or epochs"),
        ([{"kind": "note"}], "no rows of steps or epochs"),
        ([{"kind": "step", "phase": "a", "epoch": 0}], "kind 'step' in the journal has no 'step'"),
        ([{"kind": "epoch", "epoch": 0}], "kind 'epoch' in the journal has no 'phase'"),
    ],
)
def test_a_journal_that_tells_nothing_is_refused(rows, message):
    with pytest.raises(BadCall, match=message):
        learning_curves(rows)
