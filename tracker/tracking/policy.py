"""One frame: predict, refine, retire, recover, spawn.

The only place with a policy about objects, but for who comes back (`returns.py`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tracker.config import TrackingOptions
from tracker.mixture import Stats, inverses, sides, sums
from tracker.tracking.births import resolve, slight, smallest, united
from tracker.tracking.blobs import Blobs, find_blobs
from tracker.tracking.contact import follow_contacts
from tracker.tracking.groups import find_groups
from tracker.tracking.info import Info
from tracker.tracking.lattice import cut
from tracker.tracking.returns import adopt, recover
from tracker.tracking.sightings import COLOR_RATE, THIN, Sightings, sight
from tracker.tracking.sizes import OWN, Patches, facing, fit_sizes
from tracker.tracking.state import Objects, State
from tracker.tracking.surveyed import surveyed
from tracker.types import Array, Event, Points

_TYPICAL = 60.0  # points that the typical extent is worth
_VISIBLE = 0.25  # share of an object that must be foreground for it to count as seen
_ENTIRE = 0.6  # and share of a usual object that is enough of any
_STOUT = 0.75  # share of its ellipse that most objects fill
_RIM = 0.65  # of the square of a rim's width: the variance of a place that it shows
_EXPOSED = 0.1  # share that no other object covers
_LOST_BEHIND = 0.4  # share behind fixed things from which an object may not be seen at all
_SLOWED = 0.8  # share of its speed that one keeps which should have come out, but did not
_WAITING = 0.8  # share by which the clocks of such an object are slower
_DOUBT_PATIENCE = (1.5, 0.25)  # of coast_seconds: for objects once seen apart, and for others
_WHOLE = 0.75  # share of its usual foreground with which an object counts as whole
_SETTLED = 25.0  # frames of an unusual shape after which an object is as free as it can be
_ODD = 0.1  # relative change by the size model's limit that tells an unusual shape
_SETTLE = 0.05  # pull of the typical extent on the frozen one, a frame
_FILLED = 0.4  # share of what usually shows of its uncovered part that makes it count as exposed
_REFIT = 25  # new patches before the sizes are fitted again, or as many as there are objects
_LOOK = 0.2  # s from one look at all patches to the next, where there was no survey,
_SPECK = 6.0  # and points of a patch that says nothing
_REACH_RATE = 0.05
_UNSEEN = 0.1  # odds that are left to an object in plain view that was not seen while it coasted
_ODDS = (0.02, 50.0)  # of existence, at least and at most: what looks like an object may be none
_AWAY = 8.0  # standard deviations, two lengths, by which what moves goes and light does not
_STEADY = 8  # sights after which a velocity counts
_LEAP = 2.0  # times its usual speed, and a length a second more: nobody sets off so in a contact
_HABIT = 0.5  # s over which the velocity counts with which a walker goes on unseen
_ASKED_EVERY = 4  # frames from one question to the next whether several objects are one,
_VAN, _LORRY = 2.5, 4.0  # times the typical area from which on that is asked, and soon believed:
_TOGETHER = 16.0  # standard deviations, four lengths, that pieces of one go together,
_NEVER_APART = 8.0  # and two of a van that nobody saw apart; those of a lorry need not,
_WITHIN = 2.2  # and standard deviations of the patch within which they are
_SLIGHT_TRIAL = 2  # trials that what is smaller than usual must stand,
_STIRRED = 2.0  # and standard deviations, half a length, that it must go
_MISLED = 1.5  # times the number of objects in the first seconds, beyond which it tells nothing
_CLUTTER = 0.3  # how likely a sighting is without an object, relative to one with


def step(state: State, points: Points, time: float, options: TrackingOptions) -> tuple[State, Info]:
    """Advance by one frame.

    Parameters
    ----------
    state
        After the frame before; see `start`.
    points
        Foreground of this frame.
    time
        Of this frame in seconds, later than the one before.
    options
        The policy.

    Returns
    -------
    state, info
        The new state, and what happened.
    """
    prior = predict(state, time, options)
    if points.scene is not None:
        prior = surveyed(prior, points.scene)
    if points.flood:
        return hold(prior, points)
    state, info = refine(prior, points, options)
    state, contacts, events = follow_contacts(state, COLOR_RATE)
    if contacts or events:
        info = replace(info, events=info.events + events, contacts=contacts)
    state, info = retire(state, info, options)
    if points.scene is not None:
        state, info = withdraw(state, info, options)
    state, info = recover(state, info, options)
    state, info = adopt(state, info, options)
    state, info = unite(state, info, options)
    state, info = spawn(state, info, options)
    return learn(state, info), info


def predict(state: State, time: float, options: TrackingOptions) -> State:
    """Move the objects on at constant velocity: m⁻ = F m, P⁻ = F P Fᵀ + Q(Δt)."""
    if state.time is None:
        return replace(state, time=time)
    elapsed = time - state.time
    if elapsed <= 0:
        raise ValueError(
            f"The time {time} s of this frame is not later than {state.time} s, that of the frame "
            "before; hand over the frames in order."
        )
    period = elapsed if state.period is None else state.period + 0.1 * (elapsed - state.period)
    objects = state.objects
    transition = np.eye(4)
    transition[0, 2] = transition[1, 3] = elapsed
    gain = np.array([elapsed**2 / 2, elapsed])  # of place and velocity, in x as in y
    acceleration = objects.lengths[:, None, None] ** 2 * np.eye(2)
    if state.sizes is not None and not state.sizes.upright:
        acceleration = objects.extents  # what is not upright moves along its long axis
    acceleration = acceleration * options.motion_noise**2 / period**4
    gains = np.outer(gain, gain)[:, None, :, None] * (period / elapsed)
    noise = (gains * acceleration[:, None, :, None, :]).reshape(-1, 4, 4)
    covariances = transition @ np.array([objects.uncertainties, objects.errors]) @ transition.T
    covariances += noise
    states = objects.states @ transition.T
    if options.objects and state.scene.size is not None:
        states = _stopped(states, objects.missing, state.scene.size)
    extents, usual = objects.extents, objects.usual
    if state.sizes is not None and state.sizes.slope:
        growth = (state.sizes.lengths(states) / state.sizes.lengths(objects.states)) ** 2
        extents, usual = extents * growth[:, None, None], usual * growth
    moved = replace(
        objects,
        states=states,
        uncertainties=covariances[0],
        errors=covariances[1],
        extents=extents,
        usual=usual,
        age=objects.age + 1,
    )
    return replace(state, objects=moved, time=time, period=period)


def _stopped(states: Array, missing: NDArray[np.bool_], size: tuple[int, int]) -> Array:
    """Return the states, shape (k, 4), of which the missing wait at the border of the picture.

    Where their number is known, who was lost is kept for as long as it takes; a position where
    nobody looks would be none.
    """
    middle = np.clip(states[:, :2], 0.0, np.array(size) - 1.0)
    out = missing[:, None] & (middle != states[:, :2])
    places, velocities = np.where(out, middle, states[:, :2]), np.where(out, 0.0, states[:, 2:])
    return np.concatenate([places, velocities], axis=1)


def hold(state: State, points: Points) -> tuple[State, Info]:
    """Keep every object where it is predicted: the frame says nothing about single objects."""
    objects = state.objects
    elapsed = state.period or 0.0
    waiting = replace(
        objects,
        missing=np.ones(len(objects), dtype=bool),
        seen=objects.seen + elapsed,
        exposed=objects.exposed + elapsed,
    )
    nothing = find_blobs(Points(points.coordinates[:0]))
    return state.with_objects(waiting), Info(nothing, np.zeros(0, dtype=bool), flood=True)


def refine(prior: State, points: Points, options: TrackingOptions) -> tuple[State, Info]:
    """Fit the objects to the points: MAP-EM from the prediction.

    Objects whose gates share no patch are solved in closed form, from the statistics of their
    patches; objects in contact by rounds of EM under the coverage likelihood, shapes frozen.
    """
    objects = prior.objects
    blobs = find_blobs(points)
    look = sight(prior, blobs, options)
    mass, alone, areas, lengths = look.mass, look.alone, objects.areas, objects.lengths
    # What has thin limbs, or a shadow beside it, fills little of its ellipse.
    fill = np.where(alone, objects.filled, 1.0)
    share, least = np.minimum(fill / THIN, 1.0), _VISIBLE * np.minimum(fill / _STOUT, 1.0)
    enough, inside = least * areas, _inside(prior)
    leaves = (inside < 1) & ~objects.missing
    if prior.lying and prior.sizes is not None and leaves.any():
        # The rear of a lorry that leaves the picture is a small share of it, and as large as a car.
        usual = _ENTIRE * prior.sizes.areas(objects.means[leaves])
        enough[leaves] = np.minimum(enough[leaves], usual)
    # Pixels that others explain do not bring back what was lost.
    visible = np.where(objects.missing, look.exposed, mass) > enough
    visible &= ~(objects.missing & look.doubtful)
    hidden = np.where(alone, 1 - np.minimum(mass / (_WHOLE * objects.usual), 1.0), 0.0)
    counted = np.minimum(mass, options.effective_points)
    shaped = visible & alone & (hidden == 0)
    entire = shaped & look.entire
    middle = np.where(entire[:, None], look.mean, np.nan)
    trail = np.concatenate([objects.trail[:, 1:], middle[:, None]], axis=1)
    jitter = prior.jitter.learned(trail, objects.extents)
    # In contact the rim shows where an object is, as well as it is sharp, and of the rim only what
    # no other covers.
    rim = (jitter.level + _RIM * (2 * options.softness) ** 2) * mass
    precision = np.where(alone, jitter.level, rim / np.maximum(look.exposed, 1e-6 * areas))
    # What is left of an object of which a share is hidden may have its middle off by as much.
    noise = np.array([1 / np.maximum(counted, 1e-9), precision]) + hidden**2
    states, uncertainties, errors = _update(objects, look.mean, noise, visible)
    now, period = prior.time or 0.0, prior.period or 0.0
    # A step says little of a walker's way: who is not seen goes on as it did for a while.
    walks = prior.sizes is not None and prior.sizes.upright
    # And a vehicle that seems to have turned round has most likely met the next one.
    turned = (states[:, 2:] * objects.cruise).sum(axis=1) < 0
    # As has who seems to have leapt while it touched another.
    pace, usual = (np.hypot(*ways.T) for ways in (states[:, 2:], objects.cruise))
    leapt = look.contact & (pace > _LEAP * usual + lengths)
    lost = ~visible & ~objects.missing & (turned | leapt | walks)
    if lost.any():
        slip = (objects.cruise - states[:, 2:])[lost]
        states[lost] += np.hstack([period * slip, slip])
    habit = np.maximum(1 - np.exp(-period / _HABIT), 1 / objects.hits) * visible
    steady = visible & ~look.contact & (objects.hits >= _STEADY)
    wander = prior.wander.learned(
        states[steady, 2:], objects.cruise[steady], lengths[steady], period / _HABIT
    )
    cruise = objects.cruise + habit[:, None] * (states[:, 2:] - objects.cruise)
    extents, unusual = _reshape(prior, states[:, :2], look, shaped, options)
    if prior.lying:
        # Who touches others keeps its lengths, and turns.
        turns = visible & ~alone
        extents[turns] = facing(extents[turns], look.scatter[turns])
    follow = np.where(mass > objects.usual, 0.3, 0.02) * (visible & alone)
    # What should have come out from behind a fixed thing, and did not, is still there.
    lingers = objects.behind & ~visible & (look.veil <= _LOST_BEHIND)
    if lingers.any():
        states[lingers, :2] -= period * states[lingers, 2:]
        states[lingers, 2:] *= _SLOWED
    veil = np.where(lingers, 1.0, look.veil)
    behind = veil > _LOST_BEHIND
    open_area = look.open_area * (1 - veil) * inside
    filled = _FILLED * share * open_area
    shown = visible & (look.exposed > np.maximum(_EXPOSED * areas, filled))
    # What stands behind a fixed thing is not gone: its clocks nearly stop.
    waiting = _WAITING * period * behind
    doubt = np.where(look.doubtful, period - waiting, -2 * period)
    looked_at = (1 - veil) * np.where(look.contact, 0.2, 1.0)
    existence = _existence(objects.existence, shown, looked_at, _elapsed(prior, options))
    apart = np.hypot(*(states[:, :2] - objects.origin).T)
    away = shaped & prior.whole & (apart > _AWAY * lengths)
    reach_rate = np.where(entire, _REACH_RATE, 0.0)[:, None]
    refined = replace(
        objects,
        states=states,
        uncertainties=uncertainties,
        errors=errors,
        trail=trail,
        origin=np.where(away[:, None], np.inf, objects.origin),
        piece=np.where(shaped[:, None], np.nan, objects.piece),
        cruise=cruise,
        extents=extents,
        unusual=unusual,
        mass=mass,
        usual=objects.usual + follow * (mass - objects.usual),
        colors=look.colors,
        reach=objects.reach + reach_rate * (look.reach - objects.reach),
        seen=np.where(visible, now, objects.seen + waiting),
        exposed=np.where(shown, now, objects.exposed + waiting),
        hits=objects.hits + shown,
        singled=objects.singled + shaped,
        doubtful=look.doubtful,
        doubted=np.maximum(objects.doubted + doubt, 0.0),
        examined=look.examined,
        lone=look.lone,
        measured=objects.measured | entire,
        missing=~visible,
        behind=behind,
        contact=look.contact,
        existence=existence,
    )
    typical = prior.reach
    if entire.any():
        middle_reach = np.sort(look.reach[entire], axis=0)[entire.sum() // 2]
        typical = typical + 0.02 * (middle_reach - typical)
    state = replace(prior, objects=refined, reach=typical, jitter=jitter, wander=wander)
    info = Info(blobs, look.unexplained, look.log_likelihood, look.iterations, found=look.found)
    return state, info


def retire(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Let go of objects that nothing has shown for too long, or that left the picture."""
    objects, now = state.objects, state.time or 0.0
    if len(objects) == 0:
        return state, info
    unseen = now - objects.seen
    covered = now - objects.exposed
    period = state.period or 0.0
    patience = np.where(objects.confirmed, options.coast_seconds, 1.5 * period)
    starved = (unseen > patience) | (covered > 2 * patience)
    doubt = np.where(objects.proven, *_DOUBT_PATIENCE) * options.coast_seconds
    starved |= objects.doubted > doubt
    gone = np.zeros(len(objects), dtype=bool)
    if state.scene.size is not None:
        low = objects.means
        high = np.array(state.scene.size) - 1 - objects.means
        gone = objects.missing & ((low < 0) | (high < 0)).any(axis=1)
    leaving = starved | gone
    if options.objects:
        leaving &= ~objects.confirmed
    if not leaving.any():
        return state, info
    return _without(state, info, leaving)


def withdraw(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Let go of objects that were started before the place was known, and are none by what is.

    Ghosts that have gone without ever having moved, and what is more than there always are.
    """
    objects = state.objects
    gone = objects.missing & ~objects.mobile
    number = options.objects or state.population
    left = np.flatnonzero(objects.confirmed & ~gone)
    if number and len(left) > number:
        doubt = np.lexsort([objects.hits[left], objects.existence[left], ~objects.missing[left]])
        gone[left[doubt[: len(left) - number]]] = True
    if not gone.any():
        return state, info
    return _without(state, info, gone)


def spawn(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Start objects where points are left that nobody explains; report those that prove true."""
    objects = state.objects
    # A burst of new objects is a sign of bad foreground: few may be on trial at a time.
    confirmed = int(objects.confirmed.sum())
    room = options.birth_limit + 2 * confirmed - len(objects)
    number = options.objects or state.population
    lost = objects.confirmed & objects.missing
    # What appears is what was lost.
    if options.objects or (number and lost.any() and (lost & state.whole).any()):
        room = min(room, number - len(objects))
    rest, index = info.residual(smallest(state, options))
    found = info.found
    if room > 0 and len(rest):
        found = found.joined(resolve(rest, _untouched(info, rest, index), state, options))
    found = found.largest(max(room, 0))
    if len(found):
        info = replace(info, events=info.events + found.told(state.next_id))
        objects = objects.joined(_newborn(state, found.stats))
        state = replace(state, objects=objects, next_id=state.next_id + len(found))
    lasting = ~objects.confirmed & (objects.hits >= options.birth_frames)
    if not lasting.any():
        return state, info
    # What is small may be a piece, or a flicker: it must last, and go.
    gone = np.hypot(*(objects.means - objects.origin).T) > _STIRRED * objects.lengths
    gone &= objects.hits >= _SLIGHT_TRIAL * options.birth_frames
    lasting &= gone | ~state.whole | ~slight(state, options)
    if state.population and confirmed + lasting.sum() > state.population:
        lasting = _believed(state, lasting, options)
    if not lasting.any():
        return state, info
    births = tuple(Event("birth", (int(i),)) for i in objects.ids[lasting])
    known = replace(objects, confirmed=objects.confirmed | lasting)
    if not state.scene.samples and known.confirmed.sum() > _MISLED * state.population:
        state = replace(state, population=0)  # what the first seconds showed does not last
    return state.with_objects(known), replace(info, events=info.events + births)


def _without(state: State, info: Info, gone: NDArray[np.bool_]) -> tuple[State, Info]:
    """Let go of objects, and tell of those that were reported."""
    objects = state.objects
    ended = objects.ids[gone & objects.confirmed]
    events = tuple(Event("death", (int(i),)) for i in ended)
    return (
        state.with_objects(objects.chosen(~gone)),
        replace(info, events=info.events + events),
    )


def _believed(
    state: State, lasting: NDArray[np.bool_], options: TrackingOptions
) -> NDArray[np.bool_]:
    """Say who is reported where they are more than there always are, shape (k,).

    As many as there always are, those of the most usual sizes; and who lasts and has gone twice its
    length. What stays is a patch of light, or the ghost of one that was at rest.
    """
    objects = state.objects
    lasts = (state.time or 0.0) - objects.born > options.coast_seconds
    believed = lasting & lasts & objects.mobile
    typical = np.median(objects.usual) if state.sizes is None else state.sizes.areas(objects.means)
    unlike = np.where(state.whole, np.abs(np.log(objects.usual / typical)), np.inf)
    room = max(state.population - int(objects.confirmed.sum()), 0)
    usual = np.flatnonzero(lasting)
    believed[usual[np.argsort(unlike[usual], kind="stable")[:room]]] = True
    return believed


def unite(state: State, info: Info, options: TrackingOptions) -> tuple[State, Info]:
    """Take objects for one where their patch as a whole is one.

    A lorry that comes into the picture bit by bit, or from far away, starts as several. What was
    never seen apart is united at once; others when they have gone a long way together as one. Two
    cars side by side are as large as a van, which is why that takes half of this way.
    Patches that are as large as only few groups are asked about as a whole, one after the other.
    """
    objects, sizes, blobs = state.objects, state.sizes, info.blobs
    turn, due = divmod(int(objects.age.max(initial=1)), _ASKED_EVERY)
    if sizes is None or options.objects or due:
        return state, info
    times = blobs.mass / sizes.areas(blobs.means)
    # What stands upright is no vehicle.
    large = np.flatnonzero(times > (_LORRY if sizes.upright else _VAN))
    if not len(large):
        return state, info
    groups = find_groups(objects, blobs)
    apart = objects.means - blobs.means[large][:, None]
    distances = np.einsum("bki,bij,bkj->bk", apart, inverses(blobs.scatters[large]), apart)
    members = (distances < _WITHIN**2) & ~objects.missing
    members &= groups.of_object == groups.of_patch[large][:, None]
    several = np.flatnonzero(members.sum(axis=1) > 1)
    if not len(several):
        return state, info
    asked = several[turn % len(several)]
    patch, members = large[asked], np.flatnonzero(members[asked])
    parts = Stats(objects.mass[members], objects.means[members], objects.extents[members])
    piece = objects.piece.copy()
    if not united(blobs.points(blobs.labels == patch), sizes, parts):
        piece[members] = np.nan
        return state.with_objects(replace(objects, piece=piece)), info
    means = objects.means[members]
    since = np.where(np.isnan(piece[members]), means, piece[members])
    piece[members] = since
    objects = replace(objects, piece=piece)
    way = np.hypot(*(means - since).T)
    soon = 0.0 if times[patch] > _LORRY else _NEVER_APART
    far = np.where(objects.proven[members], _TOGETHER, soon)
    joint = way >= far * objects.lengths[members]
    joint[objects.mass[members].argmax()] = True
    joint = members[joint]
    kept = joint[np.lexsort([objects.mass[joint], objects.proven[joint]])[-1]]
    pieces = np.isin(np.arange(len(objects)), joint[joint != kept])
    if not pieces.any():
        return state.with_objects(objects), info
    states, extents = objects.states.copy(), objects.extents.copy()
    velocity = np.median(states[members, 2:], axis=0)
    states[kept] = np.append(blobs.means[patch], velocity)
    extents[kept] = blobs.scatters[patch]
    whole = replace(objects, states=states, extents=extents)
    return _without(state.with_objects(whole), info, pieces)


def learn(state: State, info: Info) -> State:
    """Add patches to what the size model knows.

    Those of single, whole objects; where no survey has told the sizes, what is single is not known,
    and all patches do, as in a survey: the model sees through groups and fragments.
    """
    objects, scene = state.objects, state.scene
    if scene.size is None or scene.samples:
        new = _singles(state)
        if state.sizes is None or not state.sizes.flat:
            # Where sizes hang on the place, one who stands would say how large all others are.
            new = new.fresh(state.patches)
    elif _passed(state, _LOOK):
        new = _seen(state, info.blobs, scene.size).fresh(state.patches)
    else:
        return state
    if not len(new):
        return state
    patches = state.patches.joined(new).newest()
    unlearned = state.unlearned + len(new)
    if unlearned < max(_REFIT, len(objects)):
        return replace(state, patches=patches, unlearned=unlearned)
    sizes = fit_sizes(state.surveyed.joined(patches))
    return replace(state, patches=patches, unlearned=0, sizes=sizes)


def _singles(state: State) -> Patches:
    """Return the patches of single, whole objects, each some frames apart."""
    objects = state.objects
    usable = objects.confirmed & ~objects.missing & ~objects.contact & (objects.hits % 5 == 0)
    if usable.any():
        usable &= state.whole
    if state.sizes is not None and state.sizes.upright:
        # A vehicle says nothing of how large walkers are.
        usable &= objects.areas < _LORRY * state.sizes.areas(objects.means)
    return Patches(objects.means[usable], objects.extents[usable], objects.mass[usable])


def _passed(state: State, seconds: float) -> bool:
    """Tell whether a multiple of so many seconds lies between the frame before and this one."""
    now, period = state.time or 0.0, state.period or 0.0
    return now // seconds != (now - period) // seconds


def _seen(state: State, blobs: Blobs, size: tuple[int, int]) -> Patches:
    """Return the patches that may be single: no specks, whole, and no group of known objects."""
    single = ~cut(blobs.boxes, size, blobs.spacing).any(axis=1)
    single &= blobs.mass >= _SPECK * blobs.spacing**2
    known = state.objects.means[state.objects.contact & state.objects.proven][:, None]
    low, high = blobs.boxes[:, :2], blobs.boxes[:, 2:]
    single &= ~((known >= low) & (known <= high)).all(axis=2).any(axis=0)
    return Patches(blobs.means, blobs.scatters, blobs.mass).part(single)


def _inside(state: State) -> Array:
    """Return the share of each object that is not beyond the border of the picture, shape (k,)."""
    objects = state.objects
    if state.scene.size is None:
        return np.ones(len(objects))
    reach = 2 * sides(objects.extents)
    far = np.array(state.scene.size) - 1 - objects.means
    # Of an ellipse beyond a chord, in units of its radius; both ends of x and of y.
    chord = np.array([objects.means, far]) / reach
    if chord.min(initial=1.0) >= 1.0:
        return np.ones(len(objects))
    chord = np.minimum(np.maximum(chord, -1.0), 1.0)
    beyond = (np.arccos(chord) - chord * np.sqrt(1 - chord * chord)) / np.pi
    inside: Array = (1 - beyond).prod(axis=(0, 2))
    return inside


def _update(
    objects: Objects, seen: Array, noise: Array, visible: NDArray[np.bool_]
) -> tuple[Array, Array, Array]:
    """Return the states after a measured position, and the covariances P and of the error.

    Parameters
    ----------
    objects
        As predicted.
    seen
        Shape (k, 2), the measured positions, px.
    noise
        Shape (2, k), their variance as a share of the extent: for P, and for the error.
    visible
        Shape (k,), whether there was a measurement.
    """
    covariances = np.array([objects.uncertainties, objects.errors])
    places = covariances[:, :, :2, :]
    position = places[:, :, :, :2] + objects.extents * noise[:, :, None, None]
    gain = places.swapaxes(2, 3) @ inverses(position)
    gain *= visible[:, None, None]
    covariances -= gain @ places
    covariances = 0.5 * (covariances + covariances.swapaxes(2, 3))
    states = objects.states + (gain[0] @ (seen - objects.means)[:, :, None])[:, :, 0]
    return states, covariances[0], covariances[1]


def _reshape(
    prior: State, means: Array, look: Sightings, which: NDArray[np.bool_], options: TrackingOptions
) -> tuple[Array, NDArray[np.int64]]:
    """Blend each extent with the newest scatter and the typical extent; return `unusual`, too.

    Σ = (100 Σ⁻ + 60 Σ_size + τ n S) / (160 + τ n), then limited by the size model. An object whose
    shape keeps being none of the usual ones (a dog among people) wins the right to it; one of whose
    large patch the evidence says that it is `lone` in it (a lorry among cars) has that shape. One
    that is only a part of its patch by the evidence has the shape of that part, and no such right.
    """
    objects, sizes = prior.objects, prior.sizes
    extents, unusual = look.extents.copy(), np.where(look.parted, 0, objects.unusual)
    own = (1 - np.where(look.lone, 1.0, np.minimum(unusual / _SETTLED, 1.0)))[:, None, None]
    if sizes is not None and not which.all():
        typical = sizes.covariances(means, extents)
        pull = np.where(which, 0.0, _SETTLE)[:, None, None] * own
        extents += pull * (typical - extents)
    if not which.any():
        return extents, unusual
    scatter, means, own = look.scatter[which], means[which], own[which]
    counted = np.minimum(look.mass[which], options.effective_points)[:, None, None]
    # A young object has not yet an extent of its own.
    before = np.minimum(OWN, 25.0 * objects.hits[which])[:, None, None]
    total = before * extents[which] + counted * scatter
    if sizes is None:
        extents[which] = total / (before + counted)
        return extents, unusual
    total += _TYPICAL * own * sizes.covariances(means, scatter)
    total /= before + counted + _TYPICAL * own
    free = 2 - own[:, 0, 0]
    limited = sizes.clamp(
        np.concatenate([total, scatter]),
        np.concatenate([means, means]),
        np.concatenate([free, np.ones_like(free)]),
    )
    extents[which] = np.where(look.lone[which, None, None], total, limited[: len(total)])
    change = np.abs(limited[len(total) :] - scatter).sum(axis=(1, 2))
    odd = change > _ODD * np.abs(scatter).sum(axis=(1, 2))
    unusual = unusual.copy()
    unusual[which] += np.where(odd, 1, -1)
    np.minimum(np.maximum(unusual, 0), int(2 * _SETTLED), out=unusual)
    return extents, unusual


def _elapsed(state: State, options: TrackingOptions) -> float:
    """Return the time of a frame, relative to how long an unseen object is followed; at most 1."""
    period = state.period or 0.0
    return period / max(options.coast_seconds, period, 1e-9)


def _existence(before: Array, shown: NDArray[np.bool_], looked_at: Array, elapsed: float) -> Array:
    """Update the probability that there is an object (Musicki, Evans & Stankovic 1994).

    Parameters
    ----------
    before
        Shape (k,), the probability so far.
    shown
        Shape (k,), whether the frame shows the object.
    looked_at
        Shape (k,), how much of it would be in plain view.
    elapsed
        See `_elapsed`.
    """
    odds = before / (1 - before)
    # Misses of neighbouring frames are one event: all of them together are worth _UNSEEN.
    unseen = 1 - looked_at * (1 - _UNSEEN**elapsed)
    least, most = _ODDS
    odds = (odds * np.where(shown, 1 / _CLUTTER, unseen)).clip(least, most)
    return odds / (1 + odds)


def _untouched(info: Info, rest: Blobs, index: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return of which residual patches no object explains a part of the blob, shape (B,)."""
    blobs = info.blobs
    explained = sums(blobs.labels, blobs.weights * ~info.unexplained, len(blobs))
    blob = np.empty(len(rest), dtype=np.intp)
    blob[rest.labels] = blobs.labels[index]
    return np.asarray(explained[blob] == 0)


def _newborn(state: State, found: Stats) -> Objects:
    """Start objects from statistics of their points."""
    k = len(found.mass)
    extents = found.scatter
    now = state.time or 0.0
    objects = Objects(
        ids=np.arange(state.next_id, state.next_id + k),
        states=np.hstack([found.mean, np.zeros((k, 2))]),
        uncertainties=np.zeros((k, 4, 4)),
        errors=np.zeros((k, 4, 4)),
        trail=np.full((k, 4, 2), np.nan),
        cruise=np.zeros((k, 2)),
        extents=extents,
        mass=found.mass,
        usual=found.mass,
        colors=np.zeros((k, state.objects.colors.shape[1])),
        reach=np.tile(state.reach, (k, 1)),
        origin=found.mean,
        piece=np.full((k, 2), np.nan),
        born=np.full(k, now),
        seen=np.full(k, now),
        exposed=np.full(k, now),
        age=np.ones(k, dtype=np.int64),
        hits=np.ones(k, dtype=np.int64),
        singled=np.zeros(k, dtype=np.int64),
        unusual=np.zeros(k, dtype=np.int64),
        doubtful=np.zeros(k, dtype=bool),
        doubted=np.zeros(k),
        examined=np.zeros(k),
        lone=np.zeros(k, dtype=bool),
        measured=np.zeros(k, dtype=bool),
        confirmed=np.zeros(k, dtype=bool),
        missing=np.zeros(k, dtype=bool),
        behind=np.zeros(k, dtype=bool),
        contact=np.zeros(k, dtype=bool),
        existence=np.full(k, 0.5),
        identity=np.ones(k),
    )
    first = state.first_uncertainty(extents)
    return replace(objects, uncertainties=first, errors=first)
