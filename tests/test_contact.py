"""Laws of identity through a contact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tracker.tracking import Tracker
from tracker.tracking.contact import follow_contacts, identities
from tracker.tracking.state import Departure, Episode, Wander
from tracker.types import COLOR_BINS, Array, ContactStage, Points, Snapshot

RADIUS = 12
# How two came into a contact, where nothing is known of it.
UNKNOWN = (Departure(0.0, np.zeros(4), 1e9 * np.eye(4)),) * 2


def disc(centre: Array) -> Array:
    """Return the pixels of a disc, shape (n, 2)."""
    low = np.floor(centre - RADIUS - 1)
    y, x = np.mgrid[0 : 2 * RADIUS + 3, 0 : 2 * RADIUS + 3]
    pixels = np.column_stack([x.ravel(), y.ravel()]) + low
    return pixels[((pixels - centre) ** 2).sum(axis=1) <= RADIUS**2]


def meet(pause: int, offset: float, colors: tuple[int, int] | None = None) -> list[Snapshot]:
    """Let two discs meet, stand for a while, and go on; return what the tracker says.

    `offset` is the distance of their paths in px. With colours, the first disc is in front.
    """
    path = [*range(-150, 0, 5), *[0] * pause, *range(0, 155, 5)]
    tracker = Tracker()
    snapshots = []
    for i, x in enumerate(path):
        front = disc(np.array([300.0 + x, 100 - offset / 2]))
        back = disc(np.array([300.0 - x, 100 + offset / 2]))
        both = np.vstack([front, back])
        bins = np.repeat(np.array(colors or (0, 0), dtype=np.uint8), [len(front), len(back)])
        _, first = np.unique(both, axis=0, return_index=True)
        points = Points(both[first], colors=bins[first] if colors else None)
        snapshots.append(tracker.update(points, time=i / 25))
    return snapshots


def swap_probabilities(snapshots: list[Snapshot]) -> list[float]:
    return [
        float(event.message.rpartition(" ")[2])
        for snapshot in snapshots
        for event in snapshot.diagnostics.events
        if event.kind == "parting"
    ]


def test_objects_that_stood_in_one_place_and_look_alike_may_be_either() -> None:
    (chance,) = swap_probabilities(meet(pause=15, offset=0))
    assert 0.3 < chance <= 0.5


@pytest.mark.parametrize(("pause", "offset"), [(0, 0.0), (15, 15.0)])
def test_speed_or_place_tells_who_is_who(pause: int, offset: float) -> None:
    (chance,) = swap_probabilities(meet(pause, offset))
    assert chance < 0.05


def test_colour_tells_who_is_who() -> None:
    snapshots = meet(pause=15, offset=0, colors=(3, 40))
    (chance,) = swap_probabilities(snapshots)
    assert chance < 0.05
    left = {t.id for t in snapshots[10].tracks if t.mean[0] < 300}
    right = {t.id for t in snapshots[-1].tracks if t.mean[0] > 300}
    assert left == right  # it came from the left and went on to the right


def two_apart(*, colored: bool) -> Tracker:
    """Return a tracker that has seen two objects far from each other, alike or of two colours."""
    tracker = Tracker()
    for i in range(8):
        discs = [disc(np.array([x, 100.0])) for x in (100.0, 300.0)]
        bins = np.repeat(np.array([3, 40], dtype=np.uint8), [len(d) for d in discs])
        points = Points(np.vstack(discs), colors=bins if colored else None)
        tracker.update(points, time=i / 25)
    return tracker


@pytest.mark.parametrize(
    ("confusion", "share", "exchanged", "surely"),
    [(0.5, 1.0, True, True), (1e-6, 1.0, True, False), (1e-6, 0.6, False, False)],
)
def test_names_follow_colours_that_are_surer_than_motion_can_be(
    confusion: float, share: float, exchanged: bool, surely: bool
) -> None:
    state = two_apart(colored=True).state
    colors = state.objects.colors
    # Before they met, the first had the colour that the second has now.
    before = share * colors[::-1] + (1 - share) * colors
    episode = Episode(
        1, 2, before, state.objects.lengths, UNKNOWN, confusion, apart=4, reported=True
    )
    state, _, events = follow_contacts(replace(state, episodes=(episode,)), color_rate=0.1)
    assert (state.objects.means[0, 0] > 200) == exchanged
    assert [event.kind for event in events] == ["parting"]
    assert state.episodes == ()
    assert (state.objects.identity.min() > 0.9) == surely


def test_who_is_seen_alone_with_the_colours_of_another_is_doubted_at_once() -> None:
    """Before the contact can be judged, as the other one is still in touch with a third."""
    state = two_apart(colored=True).state
    objects = state.objects
    colors = objects.colors[::-1].copy()
    for sights, doubted in ((0, False), (6, True)):
        episode = Episode(1, 2, colors, objects.lengths, UNKNOWN, 1e-6, reported=True)
        open_ = replace(episode, sights=(0, sights))
        sure = identities(replace(state, episodes=(open_,)), color_rate=0.1)
        assert (sure.max() < 0.5) == doubted


def test_colours_that_changed_over_a_long_time_are_no_exchange() -> None:
    tracker = two_apart(colored=True)
    objects = tracker.state.objects
    before = objects.colors.copy()
    drifted = replace(objects, colors=0.7 * before + 0.3 * before[::-1])
    episode = Episode(1, 2, before, objects.lengths, UNKNOWN, 0.5, apart=4, reported=True)
    places = []
    for sights in (5, 50):
        seen = replace(episode, sights=(sights, sights))
        prior = replace(tracker.state, objects=drifted, episodes=(seen,))
        state, _, _ = follow_contacts(prior, color_rate=0.1)
        places.append(float(state.objects.means[0, 0]))
    assert places[0] > 200, "so much, so soon: it has the other's colours"
    assert places[1] < 200, "so little, after so long: its own have changed"


def parted(
    ways: tuple[float, float], *, confusion: float = 0.3, wander: float = 0.01, late: float = 0.0
) -> tuple[bool, float]:
    """Let two alike part at x = 100 and 300; return whether they changed places, and the doubt.

    Both met at x = 200 a second ago, each bound for one of `ways` in that second; who is `late` by
    a share of it was bound for as much farther.
    """
    state = two_apart(colored=False).state
    assert state.time is not None
    start, end = np.array([200.0, 100.0]), state.objects.means[:, 0]
    departures = []
    for way in ways:
        speed = (way - start[0]) * (1 + late)
        departures.append(
            Departure(state.time - 1, np.array([*start, speed, 0.0]), np.diag([1.0, 1, 9, 9]))
        )
    first, second = departures
    lengths, colors = state.objects.lengths, state.objects.colors
    episode = Episode(1, 2, colors, lengths, (first, second), confusion, apart=4, reported=True)
    open_ = replace(state, episodes=(episode,), wander=Wander(wander))
    after, (contact,), _ = follow_contacts(open_, color_rate=0.1)
    return bool((after.objects.means[:, 0] != end).any()), contact.swap


def test_who_comes_out_where_the_other_was_bound_for_is_the_other() -> None:
    assert parted((100.0, 300.0)) == (False, pytest.approx(0.025)), "or they bounced"
    changed, doubt = parted((300.0, 100.0))
    assert changed
    assert doubt < 0.05


def test_ways_tell_nothing_of_who_turns_stops_or_was_never_near_the_other() -> None:
    assert parted((300.0, 100.0), wander=1.5)[0] is False, "nothing goes straight on here"
    assert parted((300.0, 100.0), late=1.0) == (False, pytest.approx(0.3)), "who stopped may turn"
    changed, doubt = parted((300.0, 100.0), confusion=1e-6)
    assert not changed, "they never were in one place, so they turned"
    assert doubt < 0.06


@pytest.mark.parametrize("colors", [None, (3, 40)])
def test_identity_falls_in_a_contact_and_rises_by_evidence_alone(
    colors: tuple[int, int] | None,
) -> None:
    last: dict[int, float] = {}
    lowest, rises = 1.0, 0
    for snapshot in meet(pause=15, offset=0, colors=colors):
        contacts = snapshot.diagnostics.contacts
        for track in snapshot.tracks:
            now, before = track.identity_confidence, last.get(track.id, 1.0)
            if now > before + 1e-9:
                (contact,) = contacts
                assert contact.stage is ContactStage.PARTED
                assert contact.decided_by == "appearance"
                rises += 1
            last[track.id], lowest = now, min(lowest, now)
    assert lowest < 0.6
    assert rises == (0 if colors is None else 2)
    assert min(last.values()) == pytest.approx(lowest if colors is None else 1, abs=0.05)


def test_a_contact_is_followed_from_touch_to_verdict() -> None:
    snapshots = meet(pause=15, offset=15)
    contacts = [c for s in snapshots for c in s.diagnostics.contacts]
    assert {c.tracks for c in contacts} == {(1, 2)}
    assert [c.stage for c in contacts] == [*[ContactStage.OPEN] * (len(contacts) - 1), "parted"]
    depths = [c.depth for c in contacts]
    assert depths == sorted(depths)
    assert depths[-1] == pytest.approx(1 - 15 / (4 * RADIUS / 2), abs=0.1)
    assert contacts[-1].decided_by == "motion"


def test_who_is_left_of_two_is_as_open_as_who_is_who() -> None:
    path = [*range(-150, 0, 5), *[0] * 15]
    tracker = Tracker()
    for i, x in enumerate(path):
        both = np.vstack([disc(np.array([300.0 + s * x, 100.0])) for s in (1, -1)])
        snapshot = tracker.update(np.unique(both, axis=0), time=i / 25)
    (contact,) = snapshot.diagnostics.contacts
    assert contact.swap > 0.3
    objects = tracker.state.objects
    tracker.state = replace(tracker.state, objects=objects.chosen(np.array([True, False])))
    after = tracker.update(disc(np.array([300.0, 100.0])), time=3)
    (lost,) = after.diagnostics.contacts
    assert lost.stage is ContactStage.LOST
    assert after.tracks[0].identity_confidence == pytest.approx(1 - lost.swap, abs=1e-9)
    assert tracker.state.episodes == ()


def test_contact_is_reported_once_at_each_end() -> None:
    kinds = [e.kind for s in meet(pause=15, offset=15) for e in s.diagnostics.events]
    assert kinds.count("contact") == kinds.count("parting") == 1


def test_histograms_have_the_size_of_the_palette() -> None:
    snapshots = meet(pause=0, offset=0, colors=(0, COLOR_BINS - 1))
    assert len(snapshots[-1].tracks) == 2


@pytest.mark.parametrize(("turns", "steadiness"), [(0.0, (0.96, 1.0)), (3.0, (0.0, 0.5))])
def test_how_straight_objects_go_on_is_learned_from_their_velocities(
    turns: float, steadiness: tuple[float, float]
) -> None:
    """Discs that go straight on, or in any direction in each frame."""
    rng = np.random.default_rng(5)
    tracker, place, heading = Tracker(), np.array([300.0, 300.0]), 0.0
    for i in range(200):
        heading += rng.uniform(-turns, turns)
        place = place + 6 * np.array([np.cos(heading), np.sin(heading)])
        tracker.update(disc(place), time=i / 25)
    low, high = steadiness
    assert low <= tracker.state.wander.steadiness <= high
