"""The estimator contract of scikit-learn, kept without importing scikit-learn.

Whoever catches scikit-learn's exceptions or asks for its tags has imported it; only then are its
own classes used.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np

from tracker.types import Array

E = TypeVar("E", bound=BaseException)


class NotFittedError(ValueError, AttributeError):
    """A model was asked for what only a fitted one knows.

    Where scikit-learn is loaded, what is raised is also its error of the same name.
    """


class ConvergenceWarning(UserWarning):
    """A fit ended before it converged, or its likelihood fell.

    Where scikit-learn is loaded, what is warned of is also its warning of the same name.
    """


def kin(own: type[E]) -> type[E]:
    """Return a class of this module, derived from scikit-learn's too where that is loaded."""
    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return own
    mine: Any = own
    both: type[E] = _joined(mine, getattr(theirs, own.__name__))
    return both


@cache
def _joined(own: Any, other: Any) -> Any:
    def reduce(error: Any) -> tuple[object, ...]:
        return own, error.args

    return type(own.__name__, (own, other), {"__doc__": own.__doc__, "__reduce__": reduce})


class Estimator:
    """Parameters that are the arguments of `__init__`, read and set by name."""

    n_features_in_: int
    feature_names_in_: Array

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Parameters
        ----------
        deep
            Without effect, as no parameter is an estimator.
        """
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            There is no such parameter.
        """
        names = self._names()
        for name, value in parameters.items():
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. Valid parameters are: "
                    f"{names!r}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if not _same(value, defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn, which alone calls this, wants to know of an estimator."""
        utils: Any = sys.modules["sklearn.utils"]
        return utils.Tags(
            estimator_type="density_estimator",
            target_tags=utils.TargetTags(required=False),
            input_tags=utils.InputTags(),
        )


def _same(value: object, default: object) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


# Points -------------------------------------------------------------------------------------------


def names_of(points: object) -> Array | None:
    """Return the names of the columns of a data frame, or None if they are not all text."""
    names = getattr(points, "column_names", getattr(points, "columns", None))
    if names is None or callable(names):
        return None
    names = list(names)
    return np.array(names, dtype=object) if all(isinstance(name, str) for name in names) else None


def as_points(points: object, *, least: int = 1, beside: object = None) -> Array:
    """Return points as float64 or float32 of shape (N, d).

    Parameters
    ----------
    points
        An array, nested sequence or data frame of numbers; a plain vector is one-dimensional data.
    least
        How many rows there have to be.
    beside
        A y that was given too, which nobody would mean beside a plain vector.

    Raises
    ------
    ValueError, TypeError
        The points are not usable: the message says why and what to do.
    """
    if hasattr(points, "toarray") and hasattr(points, "nnz"):
        raise TypeError(
            "Sparse data was passed, but dense data is required; use X.toarray() to convert it."
        )
    try:
        array = np.asarray(points)
    except ValueError as error:
        raise ValueError(f"Input X is no array ({error}); give rows of equal length.") from error
    if np.iscomplexobj(array):
        raise ValueError("Complex data not supported: give real numbers, such as X.real.")
    if array.dtype.kind not in "fiub":
        array = _numbers(array)
    if array.dtype not in (np.float64, np.float32):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if array.ndim == 1:
        if beside is not None:
            raise ValueError(
                "Expected 2D array, got 1D array instead, and a y, which a mixture ignores: use "
                "np.column_stack([X, y]) for points with two coordinates, or leave out y."
            )
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(
            f"Found array with dim {array.ndim}: expected rows of points and columns of "
            "coordinates. Reshape your data to two dimensions."
        )
    for side, (size, wanted) in enumerate(zip(array.shape, (least, 1), strict=True)):
        if size < wanted:
            kind = ("sample", "feature")[side]
            raise ValueError(
                f"Found array with {size} {kind}(s) (shape={array.shape}) while a minimum of "
                f"{wanted} is required."
            )
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum(dtype=np.float64)
    if not np.isfinite(total) and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        bad = "NaN" if np.isnan(array[row, column]) else "infinity"
        raise ValueError(
            f"Input X contains {bad} (row {row}, column {column}): a Gaussian mixture needs "
            "numbers everywhere; drop or replace such rows."
        )
    return array


def _numbers(array: Array) -> Array:
    """Return an array of other objects as numbers."""
    if array.dtype.kind not in "OUS":
        raise ValueError(
            f"Input X has the type {array.dtype}, which is no number; choose numeric columns."
        )
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        example = next(
            (x for x in array.ravel() if not isinstance(x, (int, float))), array.ravel()[:1]
        )
        raise kind(
            f"Input X holds {example!r}, but every argument must be a number or a string that "
            "reads as a number; choose numeric columns."
        ) from error


def check_columns(model: Estimator, given: Any, points: Array) -> None:
    """Compare the columns of new points with those that the model was fitted to."""
    wanted, kind = model.n_features_in_, type(model).__name__
    if points.shape[1] != wanted:
        if np.ndim(given) == 1:
            raise ValueError(
                "Expected 2D array, got 1D array instead. Reshape your data: X.reshape(1, -1) is "
                f"one point of {len(points)} coordinates; the model has {wanted}."
            )
        raise ValueError(
            f"X has {points.shape[1]} features, but {kind} is expecting {wanted} features as input."
        )
    names, known = names_of(given), getattr(model, "feature_names_in_", None)
    if names is None and known is not None:
        warnings.warn(
            f"X does not have valid feature names, but {kind} was fitted with feature names",
            UserWarning,
            stacklevel=5,
        )
    elif names is not None and known is None:
        warnings.warn(
            f"X has feature names, but {kind} was fitted without feature names",
            UserWarning,
            stacklevel=5,
        )
    elif names is not None and known is not None and list(names) != list(known):
        raise ValueError(
            "The feature names should match those that were passed during fit: "
            f"{', '.join(known)}, in this order; got {', '.join(names)}."
        )


def as_weights(weights: object, points: Array) -> Array | None:
    """Return sample weights of shape (N,) as float64, or None.

    Raises
    ------
    ValueError
        They have another shape, are negative or not finite, or all zero.
    """
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(len(points), float(array))
    if array.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, not {array.ndim}D.")
    if array.shape != (len(points),):
        raise ValueError(
            f"sample_weight.shape == {array.shape}, expected {(len(points),)}: one weight a row."
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(
            f"Sample weights must be finite and not negative; the least is {array.min()}."
        )
    if not array.any():
        raise ValueError("Sample weights are all zero; at least one row has to count.")
    return array


def as_random(random_state: object) -> np.random.Generator:
    """Return a source of chance from None, a seed, or numpy's generators old and new."""
    if isinstance(random_state, (np.random.Generator, np.random.RandomState)):
        return random_state  # type: ignore[return-value] # what is drawn here, both can draw
    return np.random.default_rng(random_state)  # type: ignore[arg-type]
