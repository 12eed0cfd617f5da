"""Show whether the tracker knows how sure it may be: of who is who, and of where things are.

`python benchmarks/calibration.py --count 2000 --out calibration.png` lets two objects meet many
times, as bare point sets: kinds of meeting, shapes, sizes, speeds, frame rates and colours
are drawn at random, so that many meetings leave a real doubt. What the tracker says of its doubt is
compared with how often the ids were in truth exchanged, and what it says of its precision with its
true errors. A run of 2,000 meetings takes about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta, chi2
from table import Table

from tracker import Job, Points, Snapshot, Status, Tracker, load_config, run
from tracker.evaluation import Measure, compare, match, read_rows, read_truth
from tracker.synthetic import MEETING_KINDS, Meeting, meeting, owners
from tracker.types import COLOR_BINS, Array

BINS = np.linspace(0, 0.5, 11)
CONCENTRATION = 0.15  # of an object's colours: few bins of the palette hold most of it
LIGHT = 0.4  # standard deviation of the logarithm of how the light changes a bin
SETTLED = 6  # frames after the last touch by which a contact is judged
WITHIN = 25  # frames around a contact in which the truth must know both objects
MEMORY = 0.9  # of the light, from frame to frame


@dataclass(frozen=True, slots=True)
class Encounter:
    """A meeting as a camera shows it.

    Parameters
    ----------
    truth
        The meeting, in the pixels and at the frames that the camera has.
    frames
        What the tracker is given.
    period
        Time between frames, s.
    similarity
        Share of colours that both objects have in common, or None without colours.
    """

    truth: Meeting
    frames: tuple[Points, ...]
    period: float
    similarity: float | None

    @property
    def labels(self) -> tuple[str, float, float | None]:
        """Kind, period and similarity."""
        return self.truth.kind, self.period, self.similarity


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the ids of two objects that met.

    Parameters
    ----------
    kind, period, similarity
        Of the meeting; see `Encounter`.
    doubt
        1 - identity_confidence at its end.
    exchanged
        True where the ids were exchanged, None where one of them was lost.
    alone, touching
        Normalised squared error of a centre before the contact and in it; NaN where one was lost.
    """

    kind: str
    period: float
    similarity: float | None
    doubt: float
    exchanged: bool | None
    alone: float
    touching: float


def encounter(rng: np.random.Generator) -> Encounter:
    """Draw a meeting, and the camera that looks at it."""
    kind = MEETING_KINDS[rng.integers(len(MEETING_KINDS))]
    alike = bool(rng.integers(2))
    truth = meeting(kind, rng, alike=alike)
    if kind == "stop together":
        # In the usual meetings of this kind it can be seen who is who; here it is often hidden.
        closeness, pause = rng.uniform(0, 0.8), rng.uniform(2, 50)
        truth = meeting(kind, rng, closeness=closeness, pause=pause, alike=alike)
    zoom, step = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    similarity = float(rng.uniform()) if rng.random() < 0.7 else None
    truth = Meeting(
        kind,
        tuple(points[(points % zoom == 0).all(axis=1)] / zoom for points in truth.points[::step]),
        truth.centres[::step] / zoom,
        truth.covariances / zoom**2,
        truth.overlapped[::step],
    )
    if similarity is None:
        frames = tuple(Points(points) for points in truth.points)
    else:
        frames = tuple(painted(truth, similarity, rng))
    return Encounter(truth, frames, step / 25, similarity)


def painted(truth: Meeting, similarity: float, rng: np.random.Generator) -> Sequence[Points]:
    """Give each point the colour of the object in front; light changes the colours over time."""
    common, *own = rng.dirichlet(np.full(COLOR_BINS, CONCENTRATION), 3)
    paint = similarity * common + (1 - similarity) * np.array(own)
    front = int(rng.integers(2))
    light = rng.normal(0, LIGHT, paint.shape)
    inverse = np.linalg.inv(truth.covariances)
    frames = []
    for points, centres in zip(truth.points, truth.centres, strict=True):
        light = MEMORY * light + np.sqrt(1 - MEMORY**2) * rng.normal(0, LIGHT, paint.shape)
        shown = paint * np.exp(light)
        shown /= shown.sum(axis=1, keepdims=True)
        apart = points[None] - centres[:, None]
        distance = np.einsum("kni,kij,knj->kn", apart, inverse, apart)
        owner = np.where(distance[front] < 4, front, distance.argmin(axis=0))
        chance = rng.random(len(points))[:, None]
        colors = (chance > np.cumsum(shown, axis=1)[owner]).sum(axis=1)
        frames.append(Points(points, colors=np.minimum(colors, COLOR_BINS - 1).astype(np.uint8)))
    return frames


def follow(drawn: Encounter, rng: np.random.Generator) -> Result:
    """Track a meeting and compare with its truth."""
    tracker, truth = Tracker(), drawn.truth
    snapshots = [
        tracker.update(points, time=i * drawn.period) for i, points in enumerate(drawn.frames)
    ]
    overlapped = np.flatnonzero(truth.overlapped)
    begin = int(overlapped[0]) if len(overlapped) else len(snapshots) // 2
    before, after = owners(truth, snapshots, begin - 1), owners(truth, snapshots, -1)
    if None in before or set(before) != set(after):
        return Result(*drawn.labels, np.nan, None, np.nan, np.nan)
    sure = [track.identity_confidence for track in snapshots[-1].tracks if track.id in after]
    at = int(rng.choice(overlapped)) if len(overlapped) else begin
    single = [i for i in range(begin) if all(t.status is Status.SEEN for t in snapshots[i].tracks)]
    return Result(
        *drawn.labels,
        1 - float(np.mean(sure)),
        before != after,
        _squared_error(truth, snapshots, single[-1]) if single else np.nan,
        _squared_error(truth, snapshots, at),
    )


def _squared_error(truth: Meeting, snapshots: Sequence[Snapshot], frame: int) -> float:
    """Return the error of the first object's centre in units of its own covariance, squared."""
    name = owners(truth, snapshots, frame)[0]
    for track in snapshots[frame].tracks:
        if track.id == name:
            error = track.mean - truth.centres[frame, 0]
            return float(error @ np.linalg.solve(track.position_covariance, error))
    return np.nan


# Real contacts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clip:
    """A real clip with truth, in the folder of the clips."""

    name: str
    spec: str
    truth: str
    settings: tuple[str, ...] = ()


CLIPS = (
    Clip("PETS09 S2.L1", "pets09_s2l1/vtest.avi", "pets09_s2l1/gt.txt"),
    Clip("TUD-Campus", "tud_campus/img1", "tud_campus/gt/gt.txt", ("source.fps=25",)),
)


def real_contacts(data: Path) -> Table:
    """Compare P(swap) of the contacts of real clips with the truth, where both are known there."""
    lines = []
    for clip in CLIPS:
        with tempfile.TemporaryDirectory() as folder:
            config = load_config(None, ["output.video=false", *clip.settings])
            run(Job(spec=str(data / clip.spec), out=Path(folder), config=config))
            found = read_rows(Path(folder) / "tracks.csv")
            with (Path(folder) / "contacts.csv").open(encoding="ascii") as file:
                contacts = [row for row in csv.DictReader(file) if row["stage"] == "parted"]
        truth = read_truth(data / clip.truth)
        matching = match(compare(truth, found, Measure("point", radius=25)))
        owners = {
            (int(found.frames[column]), int(found.ids[column])): int(truth.ids[row])
            for row, column in zip(matching.rows, matching.columns, strict=True)
        }
        known = []
        for row in contacts:
            pair = int(row["first"]), int(row["second"])
            before = _nearest_owners(owners, pair, int(row["from_frame"]), -1)
            after = _nearest_owners(owners, pair, int(row["to_frame"]) + SETTLED, 1)
            if None not in before and len(set(before)) == 2 and set(before) == set(after):
                known.append((float(row["p_swap"]), float(before != after)))
        doubt, exchanged = np.array(known).reshape(-1, 2).T
        brier = f"{((doubt - exchanged) ** 2).mean():.4f}" if len(doubt) else "none"
        counts = (len(contacts), len(known), int(exchanged.sum()))
        lines.append((clip.name, *map(str, counts), f"{doubt.sum():.1f}", brier))
    return Table(
        "Contacts of real clips",
        ("clip", "contacts", "truth known", "ids exchanged", "expected", "Brier"),
        lines,
    )


def _nearest_owners(
    owners: dict[tuple[int, int], int], pair: tuple[int, int], frame: int, step: int
) -> list[int | None]:
    """Return which true object each of two tracks followed nearest to a frame, on one side."""
    frames = range(frame, frame + step * WITHIN, step)
    return [next((owners[i, k] for i in frames if (i, k) in owners), None) for k in pair]


# What is said of it -------------------------------------------------------------------------------


def expected_calibration_error(doubt: Array, exchanged: Array) -> float:
    """Mean over the bins, by what they hold, of |mean doubt - share of exchanged ids|."""
    bins = np.digitize(doubt, BINS[1:-1])
    return sum(
        float(abs((doubt - exchanged)[bins == b].sum())) / len(doubt) for b in np.unique(bins)
    )


def overview(results: Sequence[Result], said: Sequence[Result]) -> Table:
    """Return a row for all meetings, and one for each kind of them that there was."""
    kinds: dict[str, Callable[[Result], bool]] = {"all": lambda result: True}
    for kind in MEETING_KINDS:
        kinds[kind] = lambda result, kind=kind: result.kind == kind
    kinds["no colours"] = lambda result: result.similarity is None
    kinds["colours, like"] = lambda result: (result.similarity or 0) > 0.7
    kinds["colours, unlike"] = lambda result: (
        result.similarity is not None and result.similarity <= 0.7
    )
    for rate in (25, 12.5, 25 / 3):
        kinds[f"{rate:.3g} frames/s"] = lambda result, rate=rate: bool(
            np.isclose(1 / result.period, rate)
        )
    lines = []
    for name, chosen in kinds.items():
        some = [result for result in said if chosen(result)]
        if not some:
            continue
        doubt, exchanged = _columns(some)
        lines.append(
            (
                name,
                str(sum(map(chosen, results))),
                str(sum(map(chosen, results)) - len(some)),
                str(int(exchanged.sum())),
                f"{doubt.sum():.1f}",
                f"{((doubt - exchanged) ** 2).mean():.4f}",
                f"{expected_calibration_error(doubt, exchanged):.4f}",
            )
        )
    return Table(
        "Who is who after a meeting",
        ("meetings", "number", "id lost", "ids exchanged", "expected", "Brier", "ECE"),
        lines,
    )


def reliability(said: Sequence[Result]) -> Table:
    """Return a row for each bin of doubt."""
    lines = [
        (
            f"{low:.2f} to {low + BINS[1]:.2f}",
            str(number),
            f"{doubt:.3f}",
            f"{share:.3f}",
            f"{least:.3f} to {most:.3f}",
        )
        for low, number, doubt, share, (least, most) in _bins(said)
    ]
    columns = ("P(swap)", "meetings", "mean P(swap)", "share exchanged", "95 % interval")
    return Table("Doubt and truth", columns, lines)


def precision(said: Sequence[Result]) -> Table:
    """Return how the squared errors of positions compare with the covariances given for them."""
    lines = []
    for name, errors in (
        ("alone, just before contact", np.array([result.alone for result in said])),
        ("in contact", np.array([result.touching for result in said])),
    ):
        errors = errors[np.isfinite(errors)]
        low, high = chi2.ppf([0.025, 0.975], 2 * len(errors)) / len(errors)
        groups = errors[: len(errors) // 50 * 50].reshape(-1, 50).mean(axis=1)
        low_50, high_50 = chi2.ppf([0.025, 0.975], 100) / 50
        inside = ((groups > low_50) & (groups < high_50)).mean() if len(groups) else np.nan
        share = (errors < chi2.ppf(0.95, 2)).mean()
        lines.append(
            (
                name,
                str(len(errors)),
                f"{errors.mean():.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{inside:.0%}",
                f"{share:.1%}",
            )
        )
    return Table(
        "Normalised squared error of positions (2 where the covariance is true)",
        ("objects", "number", "mean", "95 % band", "groups of 50 in theirs", "within 95 % ellipse"),
        lines,
    )


def draw(said: Sequence[Result], path: Path) -> None:
    """Write the reliability diagram."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    doubt, exchanged = _columns(said)
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(5, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    upper.plot([0, 0.5], [0, 0.5], color="0.6", linewidth=1, label="perfect")
    for number, (_, _, mean, share, (low, high)) in enumerate(_bins(said)):
        upper.plot([mean, mean], [low, high], color="C0", linewidth=1.5)
        upper.plot(mean, share, "o", color="C0", label=None if number else "found, 95 % interval")
    error = expected_calibration_error(doubt, exchanged)
    brier = ((doubt - exchanged) ** 2).mean()
    upper.set_title(f"{len(said):,} meetings, ECE {error:.3f}, Brier {brier:.3f}")
    upper.set_ylabel("share of meetings with exchanged ids")
    upper.set_ylim(-0.02, 1)
    upper.legend(frameon=False, loc="upper left")
    lower.hist(doubt, BINS, color="C0")
    lower.set_yscale("log")
    lower.set_ylabel("meetings")
    lower.set_xlabel("P(swap) that the tracker reports")
    figure.savefig(path, dpi=120)


def _columns(said: Sequence[Result]) -> tuple[Array, Array]:
    doubt = np.array([result.doubt for result in said])
    return doubt, np.array([bool(result.exchanged) for result in said], float)


def _bins(said: Sequence[Result]) -> list[tuple[float, int, float, float, tuple[float, float]]]:
    """Return lower edge, number, mean doubt, share exchanged and its interval of each bin."""
    doubt, exchanged = _columns(said)
    bins = np.digitize(doubt, BINS[1:-1])
    rows = []
    for b in np.unique(bins):
        inside = exchanged[bins == b]
        n, hits = len(inside), inside.sum()
        # Jeffreys' interval
        bounds = beta.ppf([0.025, 0.975], hits + 0.5, n - hits + 0.5)
        low, high = float(bounds[0]), float(bounds[1])
        rows.append((float(BINS[b]), n, float(doubt[bins == b].mean()), hits / n, (low, high)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=2000, help="number of meetings")
    parser.add_argument("--seed", type=int, help="seed of the meetings; default: a fresh one")
    parser.add_argument("--out", type=Path, help="reliability diagram (png); without it, text only")
    parser.add_argument("--data", type=Path, help="folder of real clips; theirs are judged, too")
    parser.add_argument("--markdown", action="store_true", help="print tables for the README")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error(f"--count is {arguments.count}; give 1 or more")
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    results = []
    for number in range(arguments.count):
        rng = np.random.default_rng([seed, number])
        results.append(follow(encounter(rng), rng))
    said = [result for result in results if result.exchanged is not None]
    if not said:
        raise SystemExit(f"In none of {arguments.count} meetings were both objects kept; try more.")
    print(f"seed {seed}\n")
    for table in (overview(results, said), reliability(said), precision(said)):
        table.print(markdown=arguments.markdown)
    if arguments.data is not None:
        real_contacts(arguments.data).print(markdown=arguments.markdown)
    if arguments.out is not None:
        draw(said, arguments.out)


if __name__ == "__main__":
    main()
