"""Laws of the second pass: what looking back may change, and what it must never change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tracker.pipeline
from tracker import Config, Job, SourceError, Tracker, run
from tracker.cli import main
from tracker.config import OutputOptions, TrackingOptions
from tracker.evaluation import read_rows, read_truth, score_boxes
from tracker.sources import ArraySource
from tracker.sources.base import SourceFacts
from tracker.tape import Tape
from tracker.tracking import combine, look_back
from tracker.tracking.passes import settled
from tracker.types import Array, Contact, ContactStage, Points, Scene, Snapshot, Status, Track

FPS = 25.0
EXTENT = np.diag([36.0, 81.0])


def ellipse(mean: Array) -> Array:
    """Return the pixels of an object, shape (n, 2)."""
    low, high = np.floor(mean - 20), np.ceil(mean + 20)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    return pixels[((pixels - mean) ** 2 / np.diagonal(EXTENT)).sum(axis=1) <= 4]


def both_passes(
    masks: Sequence[Array], scene: Scene | None = None
) -> tuple[list[Snapshot], list[Snapshot]]:
    """Return what the tracker knows of the masks, and what is known after looking back."""
    scene = scene or Scene()
    forward_tracker = Tracker(scene=scene)
    forward = [forward_tracker.update(mask, time=i / FPS) for i, mask in enumerate(masks)]
    frames = [(s, Points(m)) for s, m in zip(forward, masks, strict=True)]
    backward = [*look_back(reversed(frames), TrackingOptions(), scene)][::-1]
    return forward, combine(forward, backward)


def track(
    name: int, mean: Array, *, sd: float = 1.0, status: Status = Status.SEEN, sure: float = 1.0
) -> Track:
    return Track(
        id=name,
        mean=np.asarray(mean, float),
        covariance=EXTENT,
        position_covariance=sd**2 * np.eye(2),
        velocity=np.zeros(2),
        box=np.array([mean[0] - 12.0, mean[1] - 18.0, 24.0, 36.0]),
        mass=600.0,
        age=1,
        status=status,
        confidence=0.99,
        identity_confidence=sure,
    )


def snapshots(frames: Sequence[Sequence[Track]]) -> list[Snapshot]:
    return [Snapshot(i, i / FPS, tuple(tracks)) for i, tracks in enumerate(frames)]


def of_paths(paths: dict[int, Array], sd: float = 1.0) -> list[Snapshot]:
    """Return snapshots of objects on paths, by id."""
    count = len(next(iter(paths.values())))
    return snapshots(
        [[track(k, path[i], sd=sd) for k, path in paths.items()] for i in range(count)]
    )  # type: ignore[arg-type]


def path_of(result: Sequence[Snapshot], name: int) -> Array:
    return np.array([t.mean for s in result for t in s.tracks if t.id == name])


def names(result: Sequence[Snapshot]) -> set[int]:
    return {t.id for s in result for t in s.tracks}


def line(count: int = 60, begin: float = 50, step: float = 4, y: float = 100) -> Array:
    return np.column_stack([begin + step * np.arange(count), np.full(count, y)])


def test_a_perfect_result_stays_as_it_is() -> None:
    forward = of_paths({1: line(), 2: line(begin=400, step=-4, y=200)})
    refined = combine(forward, forward)
    for before, after in zip(forward, refined, strict=True):
        assert [t.id for t in after.tracks] == [1, 2]
        for one, other in zip(before.tracks, after.tracks, strict=True):
            np.testing.assert_allclose(other.mean, one.mean, atol=1e-6)
            np.testing.assert_allclose(other.box, one.box, atol=1e-6)
            np.testing.assert_allclose(other.position_covariance, one.position_covariance)
            assert other.status == one.status
    np.testing.assert_allclose(refined[30].tracks[0].velocity, [4 * FPS, 0], atol=1e-6)


def test_noise_about_a_straight_path_is_smoothed_away() -> None:
    rng = np.random.default_rng(5)
    truth = line(200)
    ahead, behind = truth + rng.normal(0, 2, (2, *truth.shape))
    refined = combine(of_paths({1: ahead}, sd=2), of_paths({7: behind}, sd=2))
    error = np.sqrt(np.mean((path_of(refined, 1) - truth) ** 2))
    assert error < 0.5 * np.sqrt(np.mean((ahead - truth) ** 2))


def test_a_path_moves_no_farther_than_its_uncertainty_allows() -> None:
    angle = np.arange(100) / 5
    ring = 200 + 25 * np.column_stack([np.cos(angle), np.sin(angle)])
    forward = of_paths({1: ring}, sd=0.7)
    moved = path_of(combine(forward, forward), 1) - ring
    assert np.sqrt(np.mean(moved**2)) <= 0.7


def test_in_a_contact_a_path_stays_where_the_object_was_seen() -> None:
    there, back = line(40), line(40, 206, -4)
    path = np.concatenate([there, back])
    rows = of_paths({1: path}, sd=0.3)
    in_contact = [
        replace(s, tracks=tuple(replace(t, status=Status.CONTACT) for t in s.tracks))
        if 35 <= s.frame < 45
        else s
        for s in rows
    ]
    off = np.hypot(*(path_of(combine(in_contact, in_contact), 1) - path).T)
    assert off[35:45].max() <= 0.3 * np.sqrt(1 + 1e-9)


def test_a_sharp_turn_behind_something_is_no_obstacle() -> None:
    there, back = line(40), line(40, 206, -4)
    path = np.concatenate([there, back])
    rows = of_paths({1: path})
    rows = [replace(s, tracks=()) if 35 <= s.frame < 45 else s for s in rows]
    refined = combine(rows, rows)
    assert names(refined) == {1}
    seen = np.r_[0:35, 45:80]
    assert np.sqrt(np.mean((path_of(refined, 1) - path[seen]) ** 2)) < 1


def test_an_object_is_known_from_its_first_sight_to_its_last() -> None:
    nothing = np.zeros((0, 2))
    masks = [nothing] * 5 + [ellipse(mean) for mean in line(40)] + [nothing] * 20
    forward, refined = both_passes(masks)
    assert not forward[5].tracks, "the first pass waits for proof"
    assert forward[45].tracks, "the first pass goes on without sight"
    assert [bool(s.tracks) for s in refined] == [5 <= i < 45 for i in range(65)]
    events = [(s.frame, e.kind) for s in refined for e in s.diagnostics.events]
    assert events == [(5, "birth"), (45, "death")]


def test_an_object_that_hides_on_its_way_keeps_its_name() -> None:
    masks = [ellipse(mean) for mean in line(90)]
    for hidden in range(40, 50):
        masks[hidden] = np.zeros((0, 2))
    _, refined = both_passes(masks)
    assert [len(s.tracks) for s in refined] == [1] * 90
    assert names(refined) == {1}
    assert np.abs(path_of(refined, 1) - line(90)).max() < 2


def test_who_left_through_the_border_is_not_who_enters_there() -> None:
    leaving, entering = line(40, 200, 4), line(40, 344, -4)
    masks = [ellipse(mean) for mean in [*leaving, *entering]]
    scene = Scene(size=(340, 200))
    inside = [mask[mask[:, 0] < 340] for mask in masks]
    _, refined = both_passes(inside, scene)
    before, after = {t.id for t in refined[10].tracks}, {t.id for t in refined[70].tracks}
    assert len(before) == len(after) == 1
    assert not before & after


def test_no_identity_is_added() -> None:
    masks = [
        np.unique(np.concatenate([ellipse(a), ellipse(b)]), axis=0)
        for a, b in zip(line(80), line(80, 400, -4, y=122), strict=True)
    ]
    forward, refined = both_passes(masks)
    assert names(refined) == names(forward) == {1, 2}
    assert all(len(s.tracks) == 2 for s in refined)
    for snapshot in refined:
        told = {one for c in snapshot.diagnostics.contacts for one in c.tracks}
        assert told <= {1, 2}


@pytest.mark.parametrize(
    ("status", "frames", "kept"),
    [(Status.CONTACT, 20, False), (Status.SEEN, 6, False), (Status.SEEN, 20, True)],
)
def test_what_one_pass_alone_saw_needs_proof(status: Status, frames: int, kept: bool) -> None:
    backward = of_paths({1: line()})
    forward = [
        replace(s, tracks=(*s.tracks, track(2, np.array([300.0, 30.0]), status=status)))
        if 20 <= s.frame < 20 + frames
        else s
        for s in backward
    ]
    assert len(names(combine(forward, backward))) == 1 + kept
    assert len(names(combine(backward, forward))) == 1 + kept


@pytest.mark.parametrize("forward_is_sure", [True, False])
def test_the_surer_pass_tells_who_is_who(forward_is_sure: bool) -> None:
    first, second = line(60, 50, 4), line(60, 286, -4)
    first[:, 1], second[:, 1] = 100 + np.abs(np.arange(60) - 29.5) / 2, 100
    straight = of_paths({1: first, 2: second})
    exchanged = snapshots(
        [
            [track(1, a, sure=1.0), track(2, b, sure=1.0)]
            if i < 30
            else [track(1, b, sure=0.6), track(2, a, sure=0.6)]
            for i, (a, b) in enumerate(zip(first, second, strict=True))
        ]
    )
    passes = (straight, exchanged) if forward_is_sure else (exchanged, straight)
    refined = combine(*passes)
    assert names(refined) == {1, 2}
    for snapshot in (*refined[:25], *refined[35:]):
        of_first = min(snapshot.tracks, key=lambda t: abs(t.mean[0] - first[snapshot.frame, 0]))
        assert of_first.id == min(refined[0].tracks, key=lambda t: t.mean[0]).id


def test_there_are_never_more_objects_than_is_known() -> None:
    gone, stays, comes = line(30), line(90, y=300), line(30, 500, y=90)
    result = snapshots(
        [
            [track(1, stays[i])]
            + ([track(2, gone[i])] if i < 30 else [])
            + ([track(3, comes[i - 60])] if i >= 60 else [])
            for i in range(90)
        ]
    )
    assert names(combine(result, result)) == {1, 2, 3}
    refined = combine(result, result, objects=2)
    assert names(refined) == {1, 2}
    assert [len(s.tracks) for s in refined] == [2] * 30 + [1] * 30 + [2] * 30


def test_beside_all_that_there_always_are_may_be_a_guest() -> None:
    gone, stays, comes, guest = line(30), line(90, y=300), line(30, 500, y=90), line(40, y=500)
    result = snapshots(
        [
            [track(1, stays[i])]
            + ([track(2, gone[i])] if i < 30 else [])
            + ([track(3, comes[i - 60])] if i >= 60 else [])
            + ([track(4, guest[i - 45])] if 45 <= i < 85 else [])
            + ([track(5, guest[i])] if i < 25 else [])
            for i in range(90)
        ]
    )
    assert names(combine(result, result, objects=2)) == {1, 2}
    refined = combine(result, result, population=2)
    assert len(refined[20].tracks) == 3
    assert len(refined[80].tracks) == 3


def test_a_late_decision_takes_effect_where_it_belongs() -> None:
    before = of_paths({1: line(), 2: line(begin=300, step=-4)})
    alike, decided = 30, 40  # where the doubt is greatest, and where it ends

    def told(place: int) -> tuple[Contact, ...]:
        if not 20 <= place <= decided:
            return ()
        ended = place == decided
        stage = ContactStage.PARTED if ended else ContactStage.OPEN
        doubt = 0.1 if ended else 0.4 - abs(min(place, alike) - alike) / 100
        return (Contact((1, 2), stage, not ended, 0.5, doubt, "appearance", exchanged=ended),)

    rows = [replace(s, diagnostics=replace(s.diagnostics, contacts=told(s.frame))) for s in before]
    after = settled(rows)
    for place, (one, other) in enumerate(zip(before, after, strict=True)):
        means = [t.mean for t in one.tracks]
        if alike <= place < decided:
            means.reverse()
        assert [t.id for t in other.tracks] == [1, 2]
        np.testing.assert_array_equal([t.mean for t in other.tracks], means)


def meeting_of(pause: int, offset: float) -> list[Array]:
    """Return the masks of two alike objects that meet, stand for a while and go on."""
    path = np.array([*range(-150, 0, 5), *[0] * pause, *range(0, 155, 5)], float)
    return [
        np.unique(
            np.concatenate(
                [ellipse(np.array([300 + s * x, 100 + s * offset / 2])) for s in (1, -1)]
            ),
            axis=0,
        )
        for x in path
    ]


@pytest.mark.parametrize(
    ("pause", "offset", "least", "most"), [(15, 0, 0.3, 0.5), (0, 12, 0, 0.05)]
)
def test_the_doubt_of_a_contact_is_that_of_the_names(
    pause: int, offset: float, least: float, most: float
) -> None:
    _, refined = both_passes(meeting_of(pause, offset))
    told = [(s.frame, c) for s in refined for c in s.diagnostics.contacts]
    assert {c.tracks for _, c in told} == {(1, 2)}
    assert [c.stage for _, c in told] == ["open"] * (len(told) - 1) + ["parted"]
    begin, end, swap = told[0][0], told[-1][0], told[-1][1].swap
    assert [frame for frame, _ in told] == list(range(begin, end + 1))
    assert least <= swap <= most
    for snapshot in refined:
        expected = 1 - swap if snapshot.frame >= begin else 1
        assert [t.identity_confidence for t in snapshot.tracks] == pytest.approx([expected] * 2)


def test_the_surer_pass_judges_a_contact() -> None:
    paths = of_paths({1: line(), 2: line(begin=300, step=-4)})

    def told(swap: float, judged: int, by: str) -> list[Snapshot]:
        contacts = {
            place: Contact((1, 2), ContactStage.OPEN, True, 0.5, 0.5, "neither")
            for place in range(28, 35)
        }
        contacts[judged] = Contact((1, 2), ContactStage.PARTED, False, 0.5, swap, by)
        return [
            replace(s, diagnostics=replace(s.diagnostics, contacts=(contacts[s.frame],)))
            if s.frame in contacts
            else s
            for s in paths
        ]

    unsure, sure = told(0.4, 39, "motion"), told(0.1, 23, "appearance")
    contacts = [c for s in combine(unsure, sure) for c in s.diagnostics.contacts]
    assert contacts[-1].decided_by == "appearance"
    assert contacts[-1].swap == pytest.approx(0.1)
    assert sum(c.stage is ContactStage.PARTED for c in contacts) == 1


def test_passes_over_other_frames_are_refused() -> None:
    forward = of_paths({1: line(10)})
    with pytest.raises(ValueError, match="10 and 9 frames"):
        combine(forward, forward[1:])


def test_no_frames_are_an_ordinary_case() -> None:
    assert combine([], []) == []
    assert combine(snapshots([[]]), snapshots([[]])) == snapshots([[]])


def test_a_tape_is_read_from_either_end() -> None:
    rng = np.random.default_rng(3)
    kept = [
        Points(rng.normal(size=(n, 2)), colors=rng.integers(0, 64, n).astype(np.uint8))
        for n in (0, 5, 300)
    ]
    with Tape() as tape:
        for points in kept:
            tape.append(points)
        assert len(tape) == 3
        for place in (2, 0, 1):
            assert tape[place].colors is not None
            np.testing.assert_array_equal(tape[place].coordinates, kept[place].coordinates)
            np.testing.assert_array_equal(tape[place].colors, kept[place].colors)


def test_a_refined_run_writes_all_results_anew(clip: Path, tmp_path: Path) -> None:
    words = ["run", str(clip), "--out", str(tmp_path), "--max-frames", "40"]
    assert main([*words, "--no-video", "--set", "tracking.lag_seconds=0"]) == 0
    causal = read_rows(tmp_path / "tracks.csv")
    assert json.loads((tmp_path / "run.json").read_text())["figures"] == "causal"
    assert main([*words, "--refine"]) == 0
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {
        "tracks.csv",
        "contacts.csv",
        "frames.csv",
        "mot.txt",
        "overlay.mp4",
        "run.json",
    }
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["figures"] == "refined"
    assert record["counts"]["frames"] == record["source"]["decoded_frames"] == 40
    assert record["counts"]["objects"] == 2
    assert record["stage_seconds"]["refine"] > 0
    refined = read_rows(tmp_path / "tracks.csv")
    assert record["counts"]["rows"] == len(refined)
    assert refined.frames.min() < causal.frames.min()


def test_what_is_live_cannot_be_refined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Camera(ArraySource):
        @property
        def facts(self) -> SourceFacts:
            return replace(super().facts, live=True)

    camera = Camera([np.zeros((48, 64, 3), np.uint8)])
    monkeypatch.setattr(tracker.pipeline, "open_source", lambda *_, **__: camera)
    tables = Config(output=OutputOptions(video=False))
    with pytest.raises(SourceError, match="cannot refine '0': it is live"):
        run(Job(spec="0", out=tmp_path / "out", config=tables, refine=True))
    assert not (tmp_path / "out").exists()


@pytest.mark.clips
@pytest.mark.parametrize(
    ("clip_name", "truth", "options", "least"),
    [
        ("pets09_s2l1/vtest.avi", "pets09_s2l1/gt.txt", [], (68, 78, 88)),
        ("tud_campus/img1", "tud_campus/gt/gt.txt", ["--fps", "25"], (37, 32, 54)),
    ],
)
def test_pedestrians_in_hindsight(
    data: Path,
    tmp_path: Path,
    clip_name: str,
    truth: str,
    options: list[str],
    least: tuple[float, float, float],
) -> None:
    words = ["run", str(data / clip_name), "--out", str(tmp_path), "--no-video", "--refine"]
    assert not main([*words, *options])
    scores = score_boxes(read_truth(data / truth), read_rows(tmp_path / "mot.txt"))
    assert scores.hota >= least[0]
    assert scores.mota >= least[1]
    assert scores.idf1 >= least[2]
