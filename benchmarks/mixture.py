"""Measure the Gaussian mixture estimator beside scikit-learn's.

`python benchmarks/mixture.py speed accuracy memory contract` runs the parts that are named, or all.
`--clip VIDEO` adds the foreground of a whole clip to the speeds.

Speeds are CPU times of one round of EM on one thread, from the same start, both in the same run:
the difference between a long and a short fit over the difference in rounds, so that what a fit does
once does not count. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from contract import run as run_contract
from table import Table

from tracker import GaussianMixture
from tracker.types import Array

SIZES = ((80_000, 20), (100_000, 20), (10_000, 20), (10_000, 5), (1_000_000, 5))
POINTS_IN_FILE = 20_000_000
ROWS_IN_CHUNK = 500_000
MEMORY_CHILD = "memory-child"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


# Speed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """Points, their weights, and where EM starts."""

    points: Array
    weights: Array | None
    start: dict[str, Any]
    components: int

    def fit(self, kind: type, rounds: int, points: Array | None = None) -> tuple[float, float]:
        """Return CPU seconds of a fit, and the last lower bound."""
        model = kind(self.components, max_iter=rounds, tol=0, **self.start)
        extra = {} if self.weights is None else {"sample_weight": self.weights}
        points = self.points if points is None else points
        before = time.process_time()
        model.fit(points, **extra)
        return time.process_time() - before, model.lower_bound_

    def round(self, kind: type, short: int, long: int, points: Array) -> float:
        """Return CPU seconds of one round, the median of three measurements."""
        differences = [
            self.fit(kind, long, points)[0] - self.fit(kind, short, points)[0] for _ in range(3)
        ]
        return median(differences) / (long - short)


def overlapping(count: int, components: int, seed: int = 0) -> Task:
    """Return points of overlapping ellipses in the plane, and random ones of them as means."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-10, 10, (components, 2))
    angle = rng.uniform(0, np.pi, components)
    turns = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shapes = turns.transpose(2, 0, 1) * rng.uniform(0.5, 2, (components, 1, 2))
    label = rng.integers(components, size=count)
    points = means[label] + np.einsum("nij,nj->ni", shapes[label], rng.normal(size=(count, 2)))
    return Task(points, None, beginning(points, components, rng), components)


def beginning(points: Array, components: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return random points as means, the sample covariance for all, uniform weights."""
    precision = np.linalg.inv(np.cov(points.T))
    return {
        "weights_init": np.full(components, 1 / components),
        "means_init": points[rng.choice(len(points), components, replace=False)],
        "precisions_init": np.repeat(precision[None], components, axis=0),
    }


def speed(clip: str | None) -> Iterator[Table]:
    """Yield a table of the time of one round at several sizes, and one of a clip."""
    from sklearn.mixture import GaussianMixture as Peer

    rows = []
    for count, components in SIZES:
        task = overlapping(count, components)
        single = task.points.astype(np.float32)
        few = (1, 3) if count >= 1_000_000 else (2, 12)
        many = (5, 25) if count >= 1_000_000 else (10, 110)
        theirs, theirs_single = (task.round(Peer, *few, x) for x in (task.points, single))
        ours, ours_single = (task.round(GaussianMixture, *many, x) for x in (task.points, single))
        bounds = [
            task.fit(kind, 10, x)[1]
            for kind, x in (
                (Peer, task.points),
                (GaussianMixture, task.points),
                (GaussianMixture, single),
            )
        ]
        rows.append(
            (
                f"{count:,}, K = {components}",
                f"{theirs * 1e3:.2f} ms",
                f"{ours * 1e3:.3f} ms",
                f"{theirs / ours:.0f} x",
                f"{abs(bounds[1] - bounds[0]):.0e}",
                f"{ours_single * 1e3:.3f} ms",
                f"{theirs / ours_single:.0f} x, {theirs_single / ours_single:.0f} x",
                f"{abs(bounds[2] - bounds[0]):.0e}",
            )
        )
    yield Table(
        "One round of EM, two dimensions; Δ is the difference of the mean log-likelihood after "
        "ten; in float32 the ratios are to scikit-learn in float64 and in float32",
        ("points", "scikit-learn", "float64", "ratio", "Δ", "float32", "ratios", "Δ"),
        rows,
    )
    if clip is not None:
        yield whole_clip(clip, Peer)


def foreground(clip: str) -> tuple[Array, Array]:
    """Return all foreground points of a clip and their weights."""
    from tracker import Config, make_foreground, open_source

    options = Config().foreground
    found = []
    with open_source(clip) as source:
        size = (source.facts.width, source.facts.height)
        model = make_foreground(options, size, source.sample(options.samples), source.facts.live)
        found = [model.points(frame, None) for frame in source]
    weights = [np.ones(len(p)) if p.weights is None else p.weights for p in found]
    return np.concatenate([p.coordinates for p in found]), np.concatenate(weights)


def whole_clip(clip: str, peer: type, components: int = 20) -> Table:
    """Compare a round over the foreground of a clip with scikit-learn's on a part of it."""
    points, weights = foreground(clip)
    start = beginning(points, components, np.random.default_rng(0))
    whole = Task(points, weights, start, components)
    part = Task(points[:: max(len(points) // 100_000, 1)], None, start, components)
    ours = whole.round(GaussianMixture, 10, 60, points)
    theirs = part.round(peer, 1, 4, part.points) * len(points) / len(part.points)
    # Exact: the same rounds where no rows are joined, because all are moved by a third of a pixel.
    shifted = {**start, "means_init": start["means_init"] + 1 / 3}
    plain = Task(points + 1 / 3, weights, shifted, components)
    apart = abs(whole.fit(GaussianMixture, 10)[1] - plain.fit(GaussianMixture, 10)[1])
    return Table(
        f"Foreground of {Path(clip).name}, {len(points):,} points that stand for "
        f"{weights.sum():,.0f} pixels, {len(np.unique(points, axis=0)):,} of them different, "
        f"K = {components}",
        ("scikit-learn, extrapolated", "all points", "ratio", "Δ to a fit of separate rows"),
        [
            (
                f"{theirs * 1e3:,.0f} ms from {len(part.points):,} points",
                f"{ours * 1e3:.2f} ms",
                f"{theirs / ours:,.0f} x",
                f"{apart:.0e}",
            )
        ],
    )


# Accuracy -----------------------------------------------------------------------------------------


def accuracy() -> Iterator[Table]:
    """Yield tables of oracles: scikit-learn's optimum, known parameters, numbers of components."""
    yield Table(
        "Difference of the optimum from scikit-learn's, from the same start, 20 seeds",
        ("covariances", "largest, relative", "largest of a mean, relative"),
        [optimum(kind) for kind in ("full", "tied", "diag", "spherical")],
    )
    yield recovery()
    yield Table(
        "Number of components chosen by BIC, 100 sets of separated clusters, K = 1 to 8 tried",
        ("components", "right"),
        [selection()],
    )


def optimum(kind: str) -> tuple[str, str, str]:
    """Return the largest differences from scikit-learn after convergence."""
    from sklearn.mixture import GaussianMixture as Peer

    bound = means = 0.0
    for seed in range(20):
        task = overlapping(2000, 4, seed)
        full = task.start["precisions_init"][0]
        precisions = {
            "full": task.start["precisions_init"],
            "tied": full,
            "diag": np.repeat(np.diag(full)[None], 4, axis=0),
            "spherical": np.full(4, full.trace() / 2),
        }[kind]
        settings = {**task.start, "precisions_init": precisions, "tol": 1e-10, "max_iter": 20_000}
        theirs = Peer(4, covariance_type=kind, **settings).fit(task.points)
        ours = GaussianMixture(4, covariance_type=kind, **settings).fit(task.points)
        bound = max(bound, abs(ours.lower_bound_ / theirs.lower_bound_ - 1))
        scale = np.abs(theirs.means_).max()
        means = max(means, float(np.abs(ours.means_ - theirs.means_).max() / scale))
    return kind, f"{bound:.0e}", f"{means:.0e}"


def recovery(seeds: int = 200, count: int = 2000) -> Table:
    """Return how often known parameters are found within three standard errors of each."""
    weights = np.array([0.2, 0.3, 0.5])
    means = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])
    covariances = np.array([[[1.0, 0.5], [0.5, 2.0]], np.eye(2), [[3.0, -1.0], [-1.0, 1.0]]])
    truth = GaussianMixture.from_parameters(means, covariances, weights)
    outside: dict[str, int] = {"weights": 0, "means": 0, "covariances": 0}
    total: dict[str, int] = dict.fromkeys(outside, 0)
    worst = 0.0
    for seed in range(seeds):
        points, _ = truth.set_params(random_state=seed).sample(count)
        model = GaussianMixture(3, random_state=seed, n_init=3, tol=1e-7, reg_covar=0).fit(points)
        order = [int(((model.means_ - mean) ** 2).sum(axis=1).argmin()) for mean in means]
        own = count * weights[:, None]
        variances = np.einsum("kdd->kd", covariances)
        products = variances[:, :, None] * variances[:, None, :] + covariances**2
        errors = {
            "weights": (model.weights_[order] - weights) / np.sqrt(weights * (1 - weights) / count),
            "means": (model.means_[order] - means) / np.sqrt(variances / own),
            "covariances": (model.covariances_[order] - covariances)
            / np.sqrt(products / own[:, :, None]),
        }
        for name, z in errors.items():
            outside[name] += int((np.abs(z) > 3).sum())
            total[name] += z.size
            worst = max(worst, float(np.abs(z).max()))
    return Table(
        f"Known parameters from {count} points, {seeds} seeds: share within 3 standard errors "
        f"(99.73 % of normal errors would be); the worst error of all is {worst:.1f} of them",
        tuple(outside),
        [tuple(f"{1 - outside[name] / total[name]:.2%}" for name in outside)],
    )


def selection(sets: int = 100) -> tuple[str, str]:
    """Return how often BIC chooses the true number of components."""
    right = 0
    for seed in range(sets):
        rng = np.random.default_rng(seed)
        components = 1 + seed % 6
        means = np.zeros((0, 2))
        while len(means) < components:
            drawn = rng.uniform(-40, 40, 2)
            if len(means) == 0 or np.linalg.norm(means - drawn, axis=1).min() > 8:
                means = np.vstack([means, drawn])
        points = means[rng.integers(components, size=1000)] + rng.normal(size=(1000, 2))
        best, _ = GaussianMixture.select(points, range(1, 9), random_state=seed, n_init=3)
        right += best.n_components == components
    return "1 to 6, centres 8 standard deviations apart", f"{right} of {sets}"


# Memory -------------------------------------------------------------------------------------------


def chunks(path: str) -> Iterator[Array]:
    """Read a file of float64 pairs by and by."""
    with Path(path).open("rb") as file:
        while True:
            block = np.fromfile(file, count=2 * ROWS_IN_CHUNK)
            if len(block) == 0:
                return
            yield block.reshape(-1, 2)


def memory() -> Iterator[Table]:
    """Yield the peak memory of a fit over a file, in a process of its own."""
    rng = np.random.default_rng(0)
    means = rng.uniform(-40, 40, (5, 2))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.f64"
        with path.open("wb") as file:
            for _ in range(POINTS_IN_FILE // ROWS_IN_CHUNK):
                label = rng.integers(5, size=ROWS_IN_CHUNK)
                (means[label] + rng.normal(size=(ROWS_IN_CHUNK, 2))).tofile(file)
        size = path.stat().st_size
        command = [sys.executable, __file__, MEMORY_CHILD, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, seconds, rounds = done.stdout.split()
    yield Table(
        f"A fit over {POINTS_IN_FILE:,} points in a file of {size / 1e6:.0f} MB, "
        f"in chunks of {ROWS_IN_CHUNK:,}",
        ("peak memory of the process", "rounds", "CPU seconds"),
        [(f"{float(peak):.0f} MB", rounds, seconds)],
    )


def memory_child(path: str) -> None:
    """Fit a file in chunks and print peak memory in MB, CPU seconds and rounds."""
    model = GaussianMixture(5, random_state=0).fit(partial(chunks, path))
    # Not ru_maxrss, which would count the memory of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1000
    print(peak, f"{time.process_time():.1f}", model.n_iter_)


# Contract -----------------------------------------------------------------------------------------


def contract() -> Iterator[Table]:
    """Yield how many of scikit-learn's own tests pass."""
    verdicts = [run_contract(seed) for seed in range(5)]
    yield Table(
        "scikit-learn's tests of its mixture, with this class in the place of theirs",
        ("seed", "passed", "failed"),
        [(str(seed), str(v.passed), str(v.failed)) for seed, v in enumerate(verdicts)],
    )


def main() -> None:
    if sys.argv[1:2] == [MEMORY_CHILD]:
        memory_child(sys.argv[2])
        return
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    names = ("speed", "accuracy", "memory", "contract")
    parser.add_argument("parts", nargs="*", help=f"{', '.join(names)}; all if none is named")
    parser.add_argument("--clip", help="a video file whose foreground is fitted")
    parser.add_argument("--markdown", action="store_true", help="print tables for a document")
    arguments = parser.parse_args()
    if not os.environ.items() >= ONE_THREAD.items():  # read when numpy is loaded, so too late here
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    if unknown := set(arguments.parts) - set(names):
        parser.error(f"there is no part {sorted(unknown)[0]!r}; choose from {', '.join(names)}")
    parts: dict[str, Callable[[], Iterator[Table]]] = {
        "speed": partial(speed, arguments.clip),
        "accuracy": accuracy,
        "memory": memory,
        "contract": contract,
    }
    warnings.simplefilter("ignore")  # that a fixed number of rounds is not convergence
    for name in arguments.parts or names:
        for table in parts[name]():
            table.print(markdown=arguments.markdown)


if __name__ == "__main__":
    main()
