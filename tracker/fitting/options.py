"""What may be asked of a fit; the defaults live here and nowhere else."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

from tracker.errors import ConfigError

Covariance: TypeAlias = Literal["full", "tied", "diag", "spherical"]
Init: TypeAlias = Literal["kmeans", "k-means++", "random", "random_from_data", "random_sample"]
Criterion: TypeAlias = Literal["bic", "aic", "icl"]

_AUTO = range(1, 10)  # components that "auto" tries


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What to take from a table.

    Parameters
    ----------
    columns
        Of a table: the columns to take as coordinates, by name or by number from 1, as `x,y`.
    weights
        Of a table: the column that says how often each row counts; it is no coordinate then.
    array
        Of an NPZ file with several arrays: the one to take.
    """

    columns: str = ""
    weights: str = ""
    array: str = ""


@dataclass(frozen=True, slots=True)
class Frames:
    """Which frames of a source to take.

    Parameters
    ----------
    first, last
        Indices of the first frame and the last one, both included; None is the end of the source.
    every
        Take each `every`-th of them.
    """

    first: int = 0
    last: int | None = None
    every: int = 1

    @classmethod
    def parse(cls, text: str, every: int) -> Self:
        """Read "A:B", "A:", ":B" or "A".

        Raises
        ------
        ConfigError
            Where the text is none of these.
        """
        match = re.fullmatch(r"(\d*)(:?)(\d*)", text.strip())
        if match is None or not text.strip():
            raise ConfigError(
                f"--frames {text!r} is no range of frames; give the first and the last as 0:499"
            )
        first = int(match[1] or 0)
        last = int(match[3]) if match[3] else None if match[2] else first
        if last is not None and last < first:
            raise ConfigError(f"--frames {text} ends before it begins; give the lower index first")
        return cls(first, last, every)

    def __contains__(self, index: object) -> bool:
        assert isinstance(index, int)
        within = self.first <= index and (self.last is None or index <= self.last)
        return within and (index - self.first) % self.every == 0

    def __str__(self) -> str:
        last = "the end" if self.last is None else self.last
        return f"{self.first} to {last}" + (f", every {self.every}" if self.every > 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """How a mixture is fitted.

    Parameters
    ----------
    covariance
        Shape of the components: any ellipsoid each, one for all, along the axes, or spheres.
    init
        Where EM starts.
    starts
        How often EM starts anew; the best end counts.
    split_merge
        After the starts, try so often to join two components and split a third.
    iterations
        End a start after so many iterations of EM.
    tolerance
        End a start when the log-likelihood per point gains less than this.
    parameter_tolerance
        End a start when no parameter changes by more than this; replaces the tolerance where given.
    fixed_weights
        Hold the weights of the components: `equal`, or one number for each as `0.3,0.7`.
    noise
        Add a uniform component for points that belong to no other; its label is -1.
    criterion
        What chooses the number of components; the lowest wins.
    seed
        Of the random numbers: the same seed gives the same fit.
    """

    covariance: Covariance = "full"
    init: Init = "kmeans"
    starts: int = 3
    split_merge: int = 0
    iterations: int = 500
    tolerance: float = 1e-6
    parameter_tolerance: float | None = None
    fixed_weights: str = ""
    noise: bool = False
    criterion: Criterion = "bic"
    seed: int = 0

    def check(self) -> None:
        """Check what a type cannot say.

        Raises
        ------
        ConfigError
            Where a value is out of its range.
        """
        for name, value, lowest in (
            ("--starts", self.starts, 1),
            ("--split-merge", self.split_merge, 0),
            ("--iterations", self.iterations, 1),
            ("--tolerance", self.tolerance, 0),
            ("--parameter-tolerance", self.parameter_tolerance or 0, 0),
            ("--seed", self.seed, 0),
        ):
            if not lowest <= value < math.inf:
                raise ConfigError(f"{name} is {value}; give a number from {lowest} upwards")

    def fixed(self, count: int) -> list[float] | None:
        """Return the weights that are held for `count` components, or None where they are learnt.

        Raises
        ------
        ConfigError
            Where they are not so many shares that add up to 1.
        """
        if not self.fixed_weights:
            return None
        if self.fixed_weights == "equal":
            return [1 / count] * count
        try:
            weights = [float(part) for part in self.fixed_weights.split(",")]
        except ValueError as error:
            raise ConfigError(
                f"--fixed-weights is {self.fixed_weights!r}; give 'equal', or numbers as 0.3,0.7"
            ) from error
        if len(weights) != count:
            raise ConfigError(
                f"--fixed-weights has {len(weights)} of the {count} components; "
                "give one for each, or 'equal'"
            )
        if min(weights) <= 0 or not math.isclose(sum(weights), 1, abs_tol=1e-6):
            raise ConfigError(
                f"--fixed-weights {self.fixed_weights} adds up to {sum(weights):g}; "
                "give positive shares that add up to 1"
            )
        return weights


def components(text: str) -> range:
    """Return the numbers of components that "3", "2:8" or "auto" stand for.

    Raises
    ------
    ConfigError
        Where the text is none of these.
    """
    if text == "auto":
        return _AUTO
    match = re.fullmatch(r"(\d+)(?::(\d+))?", text)
    if match is None or int(match[1]) < 1 or int(match[2] or match[1]) < int(match[1]):
        raise ConfigError(
            f"--components is {text!r}; give a number as 3, a range to choose from as 2:8, or auto"
        )
    return range(int(match[1]), int(match[2] or match[1]) + 1)
