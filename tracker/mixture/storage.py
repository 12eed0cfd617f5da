"""Models as JSON text, which is read without running anything."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tracker.mixture.family import ConjugatePrior

if TYPE_CHECKING:
    from tracker.mixture.estimator import GaussianMixture

M = TypeVar("M", bound="GaussianMixture")

_FORMAT = "tracker.GaussianMixture"
_VERSION = 1
_ARRAYS = ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_")
_VALUES = (
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "n_reseeded_",
    "n_features_in_",
)
_OPTIONAL = ("feature_names_in_", "noise_weight_", "noise_bounds_")


def to_json(model: GaussianMixture) -> str:
    """Return parameters and, if it is fitted, mixture of a model.

    A `random_state` that is not a seed cannot be written and becomes null.
    """
    parameters = {name: _plain(value) for name, value in model.get_params().items()}
    if not isinstance(model.random_state, (int, np.integer)):
        parameters["random_state"] = None
    record: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "parameters": parameters}
    if model.__sklearn_is_fitted__():
        names = [*_ARRAYS, *_VALUES, *(name for name in _OPTIONAL if hasattr(model, name))]
        record["dtype"] = str(model.means_.dtype)
        record["fitted"] = {name: _plain(getattr(model, name)) for name in names}
    return json.dumps(record, indent=1, allow_nan=False)


def from_json(kind: type[M], source: str | Path) -> M:
    """Return the model that `to_json` wrote.

    Raises
    ------
    ValueError
        The text is not such a model.
    """
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"This is no JSON text ({error}); give what to_json wrote, or a pathlib.Path to it."
        ) from error
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise ValueError(f"This JSON text is no {_FORMAT}; give what to_json wrote.")
    if record["version"] > _VERSION:
        raise ValueError(
            f"The model has version {record['version']} of its format, this program reads up to "
            f"{_VERSION}; install a newer one."
        )
    model = kind(**{name: _number(value) for name, value in record["parameters"].items()})
    fitted = record.get("fitted", {})
    for name, value in fitted.items():
        if name in _ARRAYS:
            value = np.array(value, dtype=record["dtype"])
        elif name == "noise_bounds_":
            value = np.array(value, dtype=np.float64)
        elif name == "feature_names_in_":
            value = np.array(value, dtype=object)
        elif name == "lower_bounds_":
            value = [_number(bound) for bound in value]
        setattr(model, name, _number(value))
    return model


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; infinities become text."""
    if isinstance(value, ConjugatePrior):
        value = asdict(value)
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _number(value: Any) -> Any:
    """Return an infinity that was written as text, also inside a list; all else as it is."""
    if isinstance(value, list):
        return [_number(entry) for entry in value]
    return float(value) if isinstance(value, str) and value in ("inf", "-inf") else value
