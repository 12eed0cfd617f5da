"""The Gaussian mixture as an estimator: fit, judge, classify, sample."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tracker.mixture import fitting, layouts, selection, storage
from tracker.mixture.chunks import is_chunked, reading
from tracker.mixture.contract import ConvergenceWarning, as_random, kin, names_of
from tracker.mixture.data import Chunks, Sample
from tracker.mixture.em import Climb, Iteration, Watch
from tracker.mixture.family import ConjugatePrior
from tracker.mixture.model import FittedMixture
from tracker.mixture.nouns import Mixture
from tracker.types import Array


class GaussianMixture(FittedMixture):
    """A mixture of Gaussians, fitted by EM.

    It keeps scikit-learn's contract: the same keywords, attributes and methods, and the same
    optimum from the same start. What it has beyond that is marked with a plus.

    Parameters
    ----------
    n_components
        K.
    covariance_type
        `full`, `tied`, `diag` or `spherical`.
    tol
        EM has converged when the mean log-likelihood of a point changes by less than this.
    reg_covar
        Added to the diagonal of every covariance, in squared units of the data.
    max_iter
        Rounds of EM at most.
    n_init
        How many starts; the best fit is kept.
    init_params
        `kmeans`, `k-means++`, `random`, `random_from_data`, or + `random_sample`: distinct random
        samples as means, the sample covariance for every component, uniform weights.
    weights_init, means_init, precisions_init
        A start of one's own, in whole or in part.
    random_state
        A seed, a numpy generator, or None for chance.
    warm_start
        Whether a further fit goes on from where the last one ended.
    verbose, verbose_interval
        Whether, and every how many rounds, progress is printed.
    param_tol
        + EM has also converged when no parameter changes by more than this; with `tol=0` only then.
    weights
        + `learned`, or `fixed` to `weights_init` (uniform if that is None).
    prior
        + A `ConjugatePrior`, or its values in a dictionary, for a maximum a posteriori fit.
    noise
        + First weight of a uniform component over the box that holds the data, or None.
    covariance_bounds
        + Least and greatest eigenvalue of a covariance, in squared units of the data, or None.
    on_collapse
        + What happens to a component that has shrunk to a point or a line: `reseed` puts it
        elsewhere, `raise` reports it.
    schedule
        + `exact`, or `coarse` to begin on the cells of a grid, and end exactly.
    split_merge
        + How many attempts are made to leave a poor optimum by joining two components and splitting
        a third (Ueda, Nakano, Ghahramani & Hinton 2000).
    step_decay, step_offset
        + Step sizes (t + step_offset) ** −step_decay of `partial_fit`.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_
        The mixture, laid out as scikit-learn does.
    converged_, n_iter_, lower_bound_, lower_bounds_
        How EM went, from its best start, after a coarse phase: the bound of each round is the mean
        log-likelihood of a point, with a prior the mean log-posterior. It never falls, except where
        a collapsed component is put elsewhere.
    n_features_in_, feature_names_in_
        Columns of the data; names only for data frames.
    noise_weight_, noise_bounds_
        + Weight and corners, shape (2, d), of the uniform component, where there is one.
    n_reseeded_
        + How many components collapsed on the way.

    Examples
    --------
    >>> from tracker import GaussianMixture
    >>> model = GaussianMixture(2, random_state=0).fit([1.0, 1.2, 0.8, 5.0, 5.1, 4.9])
    >>> model.means_.round(2).ravel().tolist()
    [5.0, 1.0]
    >>> model.predict([0.0, 6.0]).tolist()
    [1, 0]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        param_tol: float | None = None,
        weights: str = "learned",
        prior: ConjugatePrior | dict[str, Any] | None = None,
        noise: float | None = None,
        covariance_bounds: tuple[float, float] | None = None,
        on_collapse: str = "reseed",
        schedule: str = "exact",
        split_merge: int = 0,
        step_decay: float = 0.6,
        step_offset: float = 1.0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.param_tol = param_tol
        self.weights = weights
        self.prior = prior
        self.noise = noise
        self.covariance_bounds = covariance_bounds
        self.on_collapse = on_collapse
        self.schedule = schedule
        self.split_merge = split_merge
        self.step_decay = step_decay
        self.step_offset = step_offset

    @classmethod
    def from_parameters(
        cls,
        means: Any,
        covariances: Any,
        weights: Any = None,
        **parameters: Any,
    ) -> Self:
        """Return a model that knows its mixture without a fit.

        Parameters
        ----------
        means
            Shape (K, d), or (K,) for one dimension.
        covariances
            Laid out for the `covariance_type`, which is `full` if it is not among the parameters;
            in one dimension K variances will do.
        weights
            Shape (K,); uniform if None.
        parameters
            Further parameters of the model. With `noise`, that is the weight of the uniform
            component, and `noise_bounds` (shape (2, d)) the corners of its box.
        """
        bounds = parameters.pop("noise_bounds", None)
        means = np.asarray(means, dtype=np.float64)
        means = means[:, None] if means.ndim == 1 else means
        model = cls(**{"n_components": len(means), **parameters})
        k, d = len(means), means.shape[1]
        kind = model.covariance_type
        rest = 1.0 - (model.noise or 0.0)
        weights = np.full(k, 1 / k) if weights is None else weights
        mixture = Mixture(
            layouts.checked_weights(weights, k, most=rest),
            layouts.checked_means(means, k, d),
            layouts.inside(
                layouts.checked_precisions(covariances, kind, k, d, name="covariance"), kind, means
            ),
        )
        model.n_features_in_ = d
        box = None
        if model.noise is not None:
            if bounds is None:
                raise ValueError("A model with noise needs noise_bounds, the corners of its box.")
            box = np.asarray(bounds, dtype=np.float64).reshape(2, d)
        model._keep(Climb(mixture, converged=True), np.dtype(np.float64), box)
        return model

    # Fitting --------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: None = None,
        sample_weight: Any = None,
        *,
        callback: Callable[[Iteration], object] | None = None,
    ) -> Self:
        """Fit the mixture to points.

        Parameters
        ----------
        X
            Points of shape (N, d); a plain vector is one-dimensional data. Or points in chunks, for
            data that do not fit in memory: a function that returns an iterator over chunks of shape
            (n, d), or an iterable of such; each round of EM is one pass over them. A chunk may be a
            pair of points and weights.
        y
            Ignored.
        sample_weight
            Shape (N,), how often each point counts; whole numbers equal repeated rows, from the
            same start (only `init_params="random"` finds another one, as it draws row by row).
        callback
            Called with an `Iteration` after each round of EM; where it returns True, the fit ends
            with the best mixture found so far.
        """
        if is_chunked(X):
            if sample_weight is not None:
                raise ValueError(
                    "sample_weight was given beside chunks; give each chunk as a pair of points "
                    "and weights."
                )
            fitting.check(self)
            with reading(X) as read:
                return self._fit(Chunks(read, diagonal=self._diagonal), callback)
        points, weights = self._points(X, y, sample_weight, least=2)
        fitting.check(self)
        if len(points) < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {len(points)}"
            )
        self._remember_columns(X, points)
        return self._fit(Sample(points, weights, diagonal=self._diagonal), callback)

    def fit_predict(self, X: Any, y: None = None, sample_weight: Any = None) -> NDArray[np.intp]:
        """Fit the mixture and return the component of each point, shape (N,)."""
        return self.fit(X, y, sample_weight).predict(X)

    def partial_fit(self, X: Any, y: None = None, sample_weight: Any = None) -> Self:
        """Take one more batch of a stream into account: stepwise EM (Cappé & Moulines 2009).

        The statistics of the stream move by (t + step_offset) ** −step_decay towards those of batch
        t. The first batch of a model that has not been fitted also finds the start, so it needs at
        least as many points as components; a model that has, or that comes from parameters or from
        JSON, goes on from its mixture.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        """
        points, weights = self._points(X, y, sample_weight, reset=not hasattr(self, "means_"))
        fitting.check(self)
        stream = getattr(self, "_stream", None)
        first = stream is None and not hasattr(self, "means_")
        if first:
            if len(points) < max(self.n_components, 2):
                raise ValueError(
                    f"Expected n_samples >= n_components but got n_components = "
                    f"{self.n_components}, n_samples = {len(points)}; the first batch finds the "
                    "start, so give a larger one."
                )
            self._remember_columns(X, points)
        sample = Sample(points, weights, diagonal=self._diagonal)
        moments = sample.moments()
        if stream is None:
            family = fitting.family(self, moments)
            if first:
                mixture = fitting.start(self, sample, family, moments, as_random(self.random_state))
                running, box = None, None if self.noise is None else sample.box()
            else:
                mixture, box = self._mixture(), getattr(self, "noise_bounds_", None)
                running = fitting.stated(mixture)
            stream = fitting.Stream(family, running, mixture, box)
        self._stream = stream.after(self, sample)
        climbed = Climb(self._stream.mixture, (self._stream.bound,), converged=False)
        self._keep(climbed, sample.dtype, self._stream.box)
        return self

    def _fit(self, data: Sample | Chunks, callback: Watch | None) -> Self:
        moments = data.moments()
        if isinstance(data, Chunks):
            if moments.points < self.n_components:
                raise ValueError(
                    f"Expected n_samples >= n_components but got n_components = "
                    f"{self.n_components}, n_samples = {moments.points:g}"
                )
            self.n_features_in_ = len(moments.mean)
        going_on = self.warm_start and hasattr(self, "converged_")
        result = fitting.fit(self, data, moments, self._mixture() if going_on else None, callback)
        best = result.best
        if best.fallen > 0:
            warnings.warn(
                f"The log-likelihood fell by {best.fallen:.3g} a point, more than rounding and "
                "reg_covar explain; use float64, scale the input data, or bound the covariances.",
                kin(ConvergenceWarning),
                stacklevel=3,
            )
        if not best.converged and not best.stopped and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, "
                "or increase max_iter, tol, or check for degenerate data.",
                kin(ConvergenceWarning),
                stacklevel=3,
            )
        self.__dict__.pop("_stream", None)
        self._keep(best, data.dtype, result.box)
        return self

    def _keep(self, climbed: Climb, dtype: Any, box: Array | None) -> None:
        """Take over a fitted mixture."""
        mixture, kind = climbed.mixture, self.covariance_type
        covariances = layouts.outside(mixture.covariances, kind)
        factors = layouts.precision_factors(covariances, kind)
        self.weights_ = mixture.weights.astype(dtype)
        self.means_ = mixture.means.astype(dtype)
        self.covariances_ = covariances.astype(dtype)
        self.precisions_cholesky_ = factors.astype(dtype)
        self.precisions_ = layouts.precisions(factors, kind).astype(dtype)
        self.converged_ = climbed.converged
        self.n_iter_ = len(climbed.bounds)
        self.lower_bound_ = climbed.bound
        self.lower_bounds_ = list(climbed.bounds)
        self.n_reseeded_ = climbed.reseeded
        if box is not None:
            self.noise_weight_ = max(1.0 - float(mixture.weights.sum()), 0.0)
            self.noise_bounds_ = box

    # Choosing and keeping -------------------------------------------------------------------------

    @classmethod
    def select(
        cls,
        X: Any,
        n_components: Iterable[int] = range(1, 10),
        *,
        criterion: str = "bic",
        sample_weight: Any = None,
        **parameters: Any,
    ) -> selection.Selection[Self]:
        """Fit a range of models and return the best of them with the table of all.

        Parameters
        ----------
        X, sample_weight
            As for `fit`.
        n_components
            The numbers of components to try.
        criterion
            `bic`, `aic` or `icl`.
        parameters
            Further parameters of the models; `covariance_type` may be a list of types to try.
        """
        return selection.select(cls, X, n_components, criterion, sample_weight, parameters)

    def to_json(self) -> str:
        """Return parameters and, if it is fitted, mixture of the model as JSON text."""
        return storage.to_json(self)

    @classmethod
    def from_json(cls, text: str | Path) -> Self:
        """Return the model that `to_json` wrote, from the text or from a file's path."""
        return storage.from_json(cls, text)

    # Within ---------------------------------------------------------------------------------------

    @property
    def _diagonal(self) -> bool:
        return self.covariance_type in ("diag", "spherical")

    def _remember_columns(self, X: Any, points: Array) -> None:
        self.n_features_in_ = points.shape[1]
        names = names_of(X)
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)
