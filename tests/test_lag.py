"""Laws of results that wait: what is told later may only be told better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tracker import Config, Frame, Job, Snapshot, Tracker, run
from tracker.config import OutputOptions, TrackingOptions
from tracker.pipeline import _lag
from tracker.sources.base import SourceFacts
from tracker.synthetic import MEETING_KINDS, MeetingKind, meeting
from tracker.tracking import delayed
from tracker.tracking.paths import smoothed
from tracker.types import Array, Contact, ContactStage, Event, Scene, Status

FPS = 25.0
NOTHING = np.zeros((0, 2))


def square(x: float, y: float = 60.0) -> Array:
    low = np.ceil([x - 8, y - 8])
    return np.argwhere(np.ones((16, 16))) + low


def known(masks: Sequence[Array]) -> list[Snapshot]:
    tracker = Tracker()
    return [tracker.update(mask, time=i / FPS) for i, mask in enumerate(masks)]


def stream(snapshots: Sequence[Snapshot]) -> Iterator[tuple[Frame, Snapshot]]:
    image = np.zeros((2, 2, 3), np.uint8)
    return ((Frame(one.frame, one.time, image), one) for one in snapshots)


def later(snapshots: Sequence[Snapshot], lag: float = 0.6) -> list[Snapshot]:
    told = list(delayed(stream(snapshots), lag))
    assert [frame.index for frame, _ in told] == [one.frame for one in snapshots]
    assert all(frame.time == result.time for frame, result in told)
    return [result for _, result in told]


def test_without_a_lag_nothing_waits() -> None:
    rows = known([square(20 + 3 * i) for i in range(10)])
    coming = delayed(stream(rows), 0.0)
    assert all(next(coming)[1] is one for one in rows)


@pytest.mark.parametrize("lag", [0.01, 0.1, 0.5, 100.0])
def test_no_frame_waits_longer_and_none_is_lost(lag: float) -> None:
    rows = known([square(20 + 3 * i) for i in range(40)])
    newest = [0.0]

    def coming() -> Iterator[tuple[Frame, Snapshot]]:
        for frame, result in stream(rows):
            newest.append(result.time)
            yield frame, result

    told = []
    for frame, result in delayed(coming(), lag):
        told.append(result.frame)
        waited = newest[-1] - frame.time
        assert waited <= lag + 1.001 / FPS
        assert waited >= lag / 2 - 1e-9 or newest[-1] == rows[-1].time
    assert told == list(range(40))


def test_no_frames_are_an_ordinary_case() -> None:
    assert later([]) == []


def test_an_interrupt_lets_out_what_waits() -> None:
    rows = known([square(20 + 3 * i) for i in range(10)])

    def coming() -> Iterator[tuple[Frame, Snapshot]]:
        yield from stream(rows)
        raise KeyboardInterrupt

    told = []
    with pytest.raises(KeyboardInterrupt):
        for frame, _ in delayed(coming(), 1.0):
            told.append(frame.index)
    assert told == list(range(10))


def test_an_object_is_there_from_its_first_sight_to_its_last() -> None:
    masks = [NOTHING] * 5 + [square(20 + 3 * i) for i in range(20)] + [NOTHING] * 40
    rows = known(masks)
    assert not rows[5].tracks, "the tracker waits for proof"
    assert rows[25].tracks, "the tracker goes on without sight"
    found = later(rows, lag=4.0)
    assert [len(one.tracks) for one in found] == [0] * 5 + [1] * 20 + [0] * 40
    ages = [one.tracks[0].age for one in found[5:25]]
    assert ages == list(range(1, 21))


def test_who_is_not_seen_where_it_should_be_is_gone_before_it_is_given_up() -> None:
    rows = known([square(20 + 3 * i) for i in range(20)] + [NOTHING] * 30)
    assert rows[-1].tracks[0].status is Status.COASTING, "the tracker waits for longer"
    assert [len(one.tracks) for one in later(rows, lag=1.0)] == [1] * 20 + [0] * 30
    told = [one for _, one in delayed(stream(rows), 1.0, lasting=True)]
    assert [len(one.tracks) for one in told] == [1] * 50


def test_who_leaves_while_it_touches_another_was_there_until_then() -> None:
    tracker = Tracker(scene=Scene(size=(200, 120)))
    rows = []
    for i in range(60):
        x, apart = 10 + 4.0 * i, max(30.0 - i, 13)
        pair = np.unique(np.vstack([square(x), square(x, 60 + apart)]), axis=0)
        rows.append(tracker.update(pair[pair[:, 0] < 200], time=i / FPS))
    found = later(rows, lag=1.0)
    inside = [i for i in range(5, 60) if 10 + 4.0 * i < 190]
    assert all(track.status is Status.CONTACT for track in rows[inside[-1]].tracks)
    assert all(len(found[i].tracks) == 2 for i in inside)


def test_what_is_behind_something_keeps_its_place_while_it_is_believed() -> None:
    masks = [square(20 + 3 * i) for i in range(60)]
    masks[30:38] = [NOTHING] * 8
    found = later(known(masks))
    assert all(len(one.tracks) == 1 for one in found)
    assert found[33].tracks[0].status is Status.COASTING


def test_noise_is_smoothed_and_paths_have_no_seams() -> None:
    rng = np.random.default_rng(8)
    truth = 20 + 3.0 * np.arange(100)
    masks = [square(x) + rng.normal(0, 1.0, 2) for x in truth]
    rows = known(masks)
    found = later(rows)
    moved = [np.array([s.tracks[0].mean[0] for s in some[20:]]) for some in (rows, found)]
    before, after = (np.abs(np.diff(path, 2)).mean() for path in moved)
    assert after < 0.5 * before
    errors = [np.sqrt(np.mean((path - truth[20:]) ** 2)) for path in moved]
    assert errors[1] < errors[0]
    assert np.abs(np.diff(moved[1], 2)).max() < np.abs(np.diff(moved[0], 2)).max()


def test_paths_do_not_depend_on_each_other() -> None:
    paths = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        rows = known([square(20 + 3 * i) + rng.normal(0, 1.0, 2) for i in range(4 + 9 * seed)])
        tracks = {one.frame + 3 * seed: one.tracks[0] for one in rows if one.tracks}
        paths.append({place: track for place, track in tracks.items() if place % 11})
    times = np.arange(60) / FPS
    wanted = range(10, 30)
    together, part = smoothed(paths, times), smoothed(paths, times, wanted)
    assert [len(rows) for rows in together] == [len(rows) for rows in paths]
    for rows, some, path in zip(together, part, paths, strict=True):
        (alone,) = smoothed([path], times)
        assert list(rows) == list(path)
        assert list(some) == [place for place in path if place in wanted]
        for place, track in rows.items():
            for other in (alone[place], some.get(place, track)):
                np.testing.assert_allclose(other.mean, track.mean, rtol=1e-12)
                np.testing.assert_allclose(other.velocity, track.velocity, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(other.box, track.box, rtol=1e-12)
        if len(path) > 2:
            slopes = np.gradient([t.mean for t in rows.values()], times[list(rows)], axis=0)
            found = [track.velocity for track in rows.values()]
            np.testing.assert_allclose(found, slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", MEETING_KINDS)
def test_names_are_those_of_the_stream(kind: MeetingKind) -> None:
    truth = meeting(kind, np.random.default_rng(4))
    rows = known(truth.points)
    names = {t.id for one in rows for t in one.tracks}
    for after in later(rows):
        assert {t.id for t in after.tracks} <= names
        assert [t.id for t in after.tracks] == sorted(t.id for t in after.tracks)
        assert not after.candidates


def test_a_decision_within_the_lag_takes_effect_where_it_belongs() -> None:
    rows = known(
        [np.concatenate([square(20 + 3 * i), square(300 - 3 * i, 140)]) for i in range(40)]
    )

    def told(place: int) -> tuple[Contact, ...]:
        stage = ContactStage.PARTED if place == 30 else ContactStage.OPEN
        doubt = 0.4 if place == 25 else 0.3
        contact = Contact((1, 2), stage, False, 0.5, doubt, "appearance", exchanged=place == 30)
        return (contact,) if 22 <= place <= 30 else ()

    rows = [replace(s, diagnostics=replace(s.diagnostics, contacts=told(s.frame))) for s in rows]
    rows[30:] = [
        replace(s, tracks=tuple(replace(t, id=3 - t.id) for t in reversed(s.tracks)))
        for s in rows[30:]
    ]
    leaps = [
        after.frame
        for before, after in pairwise(later(rows, lag=1.0)[5:])
        if abs(after.tracks[0].mean[1] - before.tracks[0].mean[1]) > 40
    ]
    assert leaps == [25]


def test_what_never_was_is_not_told_of() -> None:
    masks = [square(20 + 3 * i) for i in range(40)]
    rows = known(masks)
    ghost = Event("birth", (9,))
    rows[20] = replace(rows[20], diagnostics=replace(rows[20].diagnostics, events=(ghost,)))
    kinds = [event for one in later(rows) for event in one.diagnostics.events]
    assert [event.kind for event in kinds] == ["birth"]
    assert kinds[0].tracks == (1,)


def test_files_wait_a_second_and_cameras_not_at_all() -> None:
    options = TrackingOptions()
    small = SourceFacts("walk.mp4", "file", 320, 240, 25.0, False, "container")
    assert _lag(options, small) == 1.0
    assert _lag(options, replace(small, width=1280, height=720, fps=30)) == 1.0
    assert _lag(options, replace(small, width=1920, height=1080, fps=30)) > 0.6
    assert 0 < _lag(options, replace(small, width=3840, height=2160)) < 0.1
    assert _lag(options, replace(small, live=True)) == 0.0
    asked = TrackingOptions(lag_seconds=0.3)
    assert _lag(asked, replace(small, live=True)) == 0.3


def test_results_say_what_they_rest_on(clip: Path, tmp_path: Path) -> None:
    tables = OutputOptions(video=False)
    for lag, word in ((-1.0, "delayed"), (0.0, "causal")):
        config = Config(output=tables, tracking=TrackingOptions(lag_seconds=lag))
        run(Job(spec=str(clip), out=tmp_path, config=config, max_frames=30))
        assert f'"figures": "{word}"' in (tmp_path / "run.json").read_text()
        frames = [line.split(",")[0] for line in (tmp_path / "mot.txt").read_text().split()]
        assert frames[-1] == "30"
