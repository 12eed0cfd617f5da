"""Pictures of fits, drawn with matplotlib where that is installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ConfigError
from tracker.fitting.results import whole_file
from tracker.fitting.scored import NOISE
from tracker.foreground.grid import Grid
from tracker.mixture.nouns import Mixture
from tracker.mixture.selection import Candidate
from tracker.types import Array, Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS = 8_000  # points that a scatter plot shows; more hide one another
_MOST_COLUMNS = 5  # pairs of more columns do not fit on a page
_DPI = 100
_STEPS_PER_SECOND = 4
_GREY = "0.55"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Points as a picture shows them.

    Parameters
    ----------
    points
        Shape (n, d).
    names
        What the d columns are called.
    weights
        Shape (n,), how often each point counts, or None for once each.
    picture
        For pixels: the place without its objects, BGR; else None.
    grid
        For pixels: the raster on which they lie; else None.
    """

    points: NDArray[Any]
    names: tuple[str, ...]
    weights: Array | None = None
    picture: Image | None = None
    grid: Grid | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A mixture beside the points, as a picture shows it.

    Parameters
    ----------
    mixture
        K components.
    labels
        Shape (n,), the component of each point, `NOISE` for none.
    noise
        Density of the uniform noise times its weight.
    title
        One line above the picture.
    """

    mixture: Mixture
    labels: NDArray[Any]
    noise: float = 0.0
    title: str = ""


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def need_drawing(option: str) -> None:
    """Check that matplotlib is installed, for an option that is of no use without.

    Raises
    ------
    ConfigError
        Where it is missing.
    """
    if not can_draw():
        raise ConfigError(
            f"{option} draws with matplotlib, which is not installed; "
            "install it with pip install matplotlib"
        )


def draw_fit(path: Path, sight: Sight, fitted: Fitted) -> None:
    """Draw the points in the colours of their labels, and the components over them."""
    figure = _figure(*_size(sight))
    _draw(figure, sight, fitted)
    _save(figure, path)


def draw_frames(path: Path, views: Sequence[tuple[Sight, Fitted]]) -> None:
    """Draw the fits of several frames side by side."""
    columns = int(np.ceil(np.sqrt(len(views))))
    rows = -(-len(views) // columns)
    figure = _figure(4.0 * columns, 3.4 * rows)
    for place, (sight, fitted) in enumerate(views, 1):
        axes = figure.add_subplot(rows, columns, place)
        _draw_plane(axes, sight, fitted)
        axes.set_title(fitted.title, fontsize="small")
        axes.set_axis_off()
    _save(figure, path)


def draw_selection(path: Path, table: Sequence[Candidate[Any]], criterion: str) -> None:
    """Draw each criterion against the number of components, its lowest value in a ring.

    Parameters
    ----------
    path
        The file.
    table
        The fits.
    criterion
        The one whose lowest value was chosen.
    """
    figure = _figure(9.0, 3.2)
    numbers = [candidate.n_components for candidate in table]
    for place, name in enumerate(("bic", "aic", "icl"), 1):
        values = [float(getattr(candidate, name)) for candidate in table]
        axes = figure.add_subplot(1, 3, place)
        axes.plot(numbers, values, "o-", markersize=4)
        best = int(np.argmin(values))
        axes.plot(numbers[best], values[best], "o", markersize=13, markerfacecolor="none")
        axes.set_title(name.upper() + (", which decides" if name == criterion else ""))
        axes.set_xticks(numbers)
        axes.set_xlabel("components")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supylabel("lower is better", fontsize="medium")
    _save(figure, path)


def draw_steps(path: Path, sight: Sight, steps: Sequence[Fitted], scores: Array) -> None:
    """Draw one picture for each iteration of EM.

    Parameters
    ----------
    path
        A folder, which gets 0001.png, 0002.png, ...; or a file whose name ends in .gif or .mp4.
    sight
        The points.
    steps
        What each iteration made of the components.
    scores
        Shape (iterations,), log-likelihood per point after each iteration.
    """
    pictures = (_step(sight, steps, scores, now) for now in range(len(steps)))
    if path.suffix.lower() == ".gif":
        _write_gif(path, pictures)
    elif path.suffix.lower() == ".mp4":
        _write_mp4(path, pictures)
    else:
        from matplotlib.image import imsave

        for number, picture in enumerate(pictures, 1):
            with whole_file(path / f"{number:04d}.png") as partial:
                imsave(partial, picture, format="png")


def _write_gif(path: Path, pictures: Iterable[Image]) -> None:
    from PIL import Image as Pillow

    images = [Pillow.fromarray(picture).quantize(64) for picture in pictures]
    # The first and the last picture stay a while.
    durations = [900, *[250] * (len(images) - 2), 2500][: len(images)]
    with whole_file(path) as partial:
        images[0].save(
            partial,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            loop=0,
        )


def _write_mp4(path: Path, pictures: Iterable[Image]) -> None:
    import av

    first, *others = pictures
    height, width = (side - side % 2 for side in first.shape[:2])  # H.264 halves the colours
    with whole_file(path) as partial, av.open(partial, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_STEPS_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        last = others[-1] if others else first
        for picture in (first, *others, *[last] * _STEPS_PER_SECOND):  # the end stays a second
            even = np.ascontiguousarray(picture[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))


def _step(sight: Sight, steps: Sequence[Fitted], scores: Array, now: int) -> NDArray[np.uint8]:
    """Return the picture of one iteration, shape (height, width, 3), RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = _size(sight)
    figure = _figure(width + 3.2, height)
    parts: Any = figure.subfigures(1, 2, width_ratios=[width, 3.2])
    _draw(parts[0], sight, steps[now])
    axes = parts[1].add_subplot()
    numbers = np.arange(1, len(scores) + 1)
    axes.plot(numbers, scores, color="0.8")
    axes.plot(numbers[: now + 1], scores[: now + 1], color="C0")
    axes.plot(numbers[now], scores[now], "o", color="C0")
    axes.set_xlabel("iteration")
    axes.set_title("log-likelihood per point", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


# One picture --------------------------------------------------------------------------------------


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure, its sides in inches, that no window and no global state knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")


def _size(sight: Sight) -> tuple[float, float]:
    """Return width and height of the picture in inches."""
    dimensions = len(sight.names)
    if sight.picture is not None:
        height, width = sight.picture.shape[:2]
        return 7.0, 7.0 * height / width + 0.4
    if dimensions <= 2:
        return 6.0, 4.5 if dimensions == 1 else 5.0
    side = 2.2 * min(dimensions, _MOST_COLUMNS)
    return side, side


def _draw(figure: Any, sight: Sight, fitted: Fitted) -> None:
    """Draw into a figure or a part of one."""
    dimensions = len(sight.names)
    title = fitted.title
    if dimensions == 1:
        _draw_line(figure.add_subplot(), sight, fitted, 0)
    elif dimensions == 2:
        _draw_plane(figure.add_subplot(), sight, fitted)
    else:
        shown = min(dimensions, _MOST_COLUMNS)
        if shown < dimensions:
            title += f" (the first {shown} of {dimensions} columns)"
        for row in range(shown):
            for column in range(row + 1):
                axes = figure.add_subplot(shown, shown, row * shown + column + 1)
                if row == column:
                    _draw_line(axes, sight, fitted, row)
                else:
                    _draw_plane(axes, *_projected(sight, fitted, [column, row]))
                axes.label_outer()
    figure.suptitle(title, fontsize="medium")


def _projected(sight: Sight, fitted: Fitted, columns: list[int]) -> tuple[Sight, Fitted]:
    """Return the view along all other columns: a Gaussian's margins are Gaussian."""
    mixture = Mixture(
        fitted.mixture.weights,
        fitted.mixture.means[:, columns],
        fitted.mixture.covariances[:, columns][:, :, columns],
    )
    names = tuple(sight.names[column] for column in columns)
    return (
        replace(sight, points=sight.points[:, columns], names=names),
        replace(fitted, mixture=mixture),
    )


def _colours(count: int) -> Array:
    """Return colours that differ, shape (count, 3), RGB from 0 to 1."""
    from matplotlib import colormaps

    if count <= 20:
        return np.asarray(colormaps["tab10" if count <= 10 else "tab20"](range(count)))[:, :3]
    return np.asarray(colormaps["hsv"](np.linspace(0, 1, count, endpoint=False)))[:, :3]


def _draw_line(axes: Axes, sight: Sight, fitted: Fitted, column: int) -> None:
    """Draw the histogram of one column with the densities of the components and of all together."""
    values, mixture = sight.points[:, column].astype(np.float64), fitted.mixture
    lowest, highest = float(values.min()), float(values.max())
    axes.hist(
        values,
        bins=_bins(values),
        weights=sight.weights,
        density=True,
        color="0.85",
        edgecolor="0.75",
        linewidth=0.3,
    )
    margin = 0.05 * (highest - lowest) or 1.0
    x = np.linspace(lowest - margin, highest + margin, 500)
    total = np.full_like(x, fitted.noise if len(sight.names) == 1 else 0.0)
    for weight, mean, covariance, colour in zip(
        mixture.weights, mixture.means, mixture.covariances, _colours(len(mixture)), strict=True
    ):
        variance = covariance[column, column]
        density = np.exp(-0.5 * (x - mean[column]) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        total += weight * density
        axes.plot(x, weight * density, color=colour)
    axes.plot(x, total, color="black", linewidth=1.0, linestyle="--")
    axes.set_xlabel(_label(sight.names[column]))
    axes.set_ylabel("density")
    axes.spines[["top", "right"]].set_visible(False)


def _bins(values: Array) -> int:
    """Return how many bins show the shape of a sample (Freedman & Diaconis 1981)."""
    low, high = np.quantile(values, (0.25, 0.75))
    width = 2 * (high - low) / len(values) ** (1 / 3)
    return int(np.clip(np.ptp(values) / width, 10, 100)) if width > 0 else 30


def _draw_plane(axes: Axes, sight: Sight, fitted: Fitted) -> None:
    """Draw points in a plane with the ellipses of the components at 1 and 2 standard deviations."""
    from matplotlib.patches import Ellipse

    mixture = fitted.mixture
    colours = _colours(len(mixture))
    if sight.picture is not None and sight.grid is not None:
        _draw_pixels(axes, sight, fitted, colours)
    else:
        shown = _sample(sight)
        labels = fitted.labels[shown]
        paint = np.where((labels == NOISE)[:, None], 0.55, colours[labels])
        axes.scatter(
            sight.points[shown, 0],
            sight.points[shown, 1],
            s=float(np.clip(9_000 / max(len(shown), 1), 1.5, 14)),
            c=paint,
            alpha=0.6,
            linewidths=0,
        )
        axes.set_xlabel(_label(sight.names[0]))
        axes.set_ylabel(_label(sight.names[1]))
        axes.spines[["top", "right"]].set_visible(False)
        # The points alone choose the view, so that it stays while ellipses change.
        low, high = sight.points.min(axis=0).astype(float), sight.points.max(axis=0).astype(float)
        margin = 0.08 * (high - low)
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    for mean, covariance, colour in zip(mixture.means, mixture.covariances, colours, strict=True):
        variances, axes_of = np.linalg.eigh(covariance)
        angle = float(np.degrees(np.arctan2(axes_of[1, 1], axes_of[0, 1])))
        long, short = np.sqrt(variances[1]), np.sqrt(variances[0])
        for deviations, width in ((2, 1.6), (1, 0.8)):
            for edge, more in (("white", 1.2), (colour * 0.75, 0.0)):
                axes.add_patch(
                    Ellipse(
                        (float(mean[0]), float(mean[1])),
                        2 * deviations * long,
                        2 * deviations * short,
                        angle=angle,
                        fill=False,
                        edgecolor=edge,
                        linewidth=width + more,
                    )
                )
        axes.plot(*mean, "+", color="black", markersize=7)


def _draw_pixels(axes: Axes, sight: Sight, fitted: Fitted, colours: Array) -> None:
    """Draw the place, and over it the pixels: the more often foreground, the stronger."""
    picture, grid = sight.picture, sight.grid
    assert picture is not None
    assert grid is not None
    height, width = picture.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(picture[:, :, ::-1] // 2 + 100, extent=extent)
    strength = np.ones(len(sight.points)) if sight.weights is None else np.sqrt(sight.weights)
    layer = np.zeros((grid.cells[1], grid.cells[0], 4))
    columns, rows = np.floor((sight.points.T + 0.5) / np.array(grid.step)[:, None]).astype(int)
    layer[rows, columns, :3] = np.where(
        (fitted.labels == NOISE)[:, None], 0.3, colours[fitted.labels]
    )
    layer[rows, columns, 3] = 0.25 + 0.65 * strength / strength.max()
    axes.imshow(layer, extent=extent, interpolation="nearest")
    axes.set_xlim(extent[:2])
    axes.set_ylim(extent[2:])


def _sample(sight: Sight) -> NDArray[np.intp]:
    """Return which points to show, drawn by weight where there are too many."""
    count = len(sight.points)
    if count <= _DOTS:
        return np.arange(count)
    shares = None if sight.weights is None else sight.weights / sight.weights.sum()
    wanted = _DOTS if shares is None else min(_DOTS, int(np.count_nonzero(shares)))
    return np.random.default_rng(0).choice(count, wanted, replace=False, p=shares)


def _label(name: str) -> str:
    return f"column {name}" if name.isdecimal() else name
