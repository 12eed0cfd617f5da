"""Tables: what goes in comes out the same, and what is wrong is said in one sentence."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from tracker.errors import TrackerError
from tracker.fitting.options import TableOptions
from tracker.fitting.tables import is_table, read_table

POINTS = np.array([[1.5, -2.0, 3e5], [0.1, 7.25, -1e-9], [4.0, 0.0, 12.0]])
NAMES = ("x", "y", "z")


def csv_text(separator: str, *, names: bool = True) -> str:
    lines = [separator.join(NAMES)] if names else []
    return "\n".join([*lines, *(separator.join(map(repr, row)) for row in POINTS.tolist())]) + "\n"


def save_npz(path: Path) -> None:
    np.savez(path, **dict(zip(NAMES, POINTS.T, strict=True)))


def save_parquet(path: Path, **more: list[Any]) -> None:
    columns = dict(zip(NAMES, POINTS.T, strict=True))
    pyarrow.parquet.write_table(pyarrow.table({**columns, **more}), path)


def save_structured(path: Path) -> None:
    kind = [(name, np.float64) for name in NAMES]
    np.save(path, np.array([tuple(row) for row in POINTS], dtype=kind))


WRITERS: dict[str, Callable[[Path], Any]] = {
    "comma.csv": lambda path: path.write_text(csv_text(",")),
    "semicolon.csv": lambda path: path.write_text(csv_text(";")),
    "tab.tsv": lambda path: path.write_text(csv_text("\t")),
    "blank.txt": lambda path: path.write_text("# a comment\n\n" + csv_text("   ")),
    "excel.csv": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + csv_text(", ").replace("x", '"x"').replace("\n", "\r\n").encode()
    ),
    "structured.npy": save_structured,
    "columns.npz": save_npz,
    "table.parquet": save_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_points_and_names(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    table = read_table(str(tmp_path / name), TableOptions())
    assert is_table(str(tmp_path / name))
    assert table.names == NAMES
    assert table.named
    np.testing.assert_array_equal(table.points, POINTS)


@pytest.mark.parametrize("name", WRITERS)
def test_columns_are_chosen_by_name_or_number_and_weights_are_no_coordinate(
    name: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / name)
    options = TableOptions(columns="z,1")
    table = read_table(str(tmp_path / name), options)
    assert table.names == ("z", "x")
    np.testing.assert_array_equal(table.points, POINTS[:, [2, 0]])
    with pytest.raises(TrackerError, match=r"holds the weight -2 in (row 1|line \d), column 'y'"):
        read_table(str(tmp_path / name), TableOptions(weights="y"))


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8, np.float64])
def test_arrays_keep_their_type_and_a_vector_is_one_column(dtype: type, tmp_path: Path) -> None:
    path = tmp_path / "points.npy"
    np.save(path, np.arange(6, dtype=dtype).reshape(3, 2))
    table = read_table(str(path), TableOptions())
    assert table.points.dtype == dtype
    assert (table.names, table.named) == (("1", "2"), False)
    np.save(path, np.arange(6, dtype=dtype))
    assert read_table(str(path), TableOptions()).points.shape == (6, 1)


@pytest.mark.parametrize("name", ["comma.csv", "structured.npy", "columns.npz", "table.parquet"])
def test_standard_input_may_be_any_of_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[name](tmp_path / name)
    content = io.BytesIO((tmp_path / name).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    np.testing.assert_array_equal(read_table("-", TableOptions()).points, POINTS)


def test_a_file_without_names_numbers_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(csv_text(",", names=False))
    table = read_table(str(path), TableOptions(weights="1"), wanted=("a", "b"))
    assert (table.names, table.named) == (("2", "3"), False)
    np.testing.assert_array_equal(table.points, POINTS[:, 1:])
    assert table.weights is not None
    np.testing.assert_array_equal(table.weights, POINTS[:, 0])


def test_the_columns_of_an_earlier_fit_are_found_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(csv_text(","))
    table = read_table(str(path), TableOptions(), wanted=("z", "y"))
    np.testing.assert_array_equal(table.points, POINTS[:, [2, 1]])


def test_what_is_no_table_is_left_to_the_sources(tmp_path: Path, clip: Path) -> None:
    assert not is_table(str(clip))
    assert not is_table(str(tmp_path))
    assert not is_table("demo")
    (tmp_path / "array").write_bytes(b"\x93NUMPY")
    assert is_table(str(tmp_path / "array"))


def text(content: str | bytes) -> Callable[[Path], Any]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(raw)


def npy(array: Any) -> Callable[[Path], Any]:
    def save(path: Path) -> None:
        np.save(path, array, allow_pickle=True)

    return save


def npz(**arrays: Any) -> Callable[[Path], Any]:
    def save(path: Path) -> None:
        np.savez(path, **arrays)

    return save


def cut(path: Path) -> None:
    np.save(path, POINTS)
    path.write_bytes(path.read_bytes()[:-9])


NAMED = TableOptions(columns="x,w")
PLAIN = TableOptions()


@pytest.mark.parametrize(
    ("name", "write", "options", "code", "parts"),
    [
        ("a.csv", None, PLAIN, 3, ["no such file", "check the path"]),
        ("a.csv", Path.mkdir, PLAIN, 3, ["it is a folder"]),
        ("a.csv", text(""), PLAIN, 3, ["is empty", "at least one row"]),
        ("a.csv", text("# only a comment\n\n"), PLAIN, 3, ["is empty"]),
        ("a.csv", text("x,y\n"), PLAIN, 3, ["no rows", "at least one"]),
        ("a.csv", text("x,y\n1,2\n\n3,nan\n"), PLAIN, 3, ["NaN", "line 4, column 'y'"]),
        ("a.csv", text("x,y\n1,2\n-inf,4\n"), PLAIN, 3, ["infinite", "line 3, column 'x'"]),
        ("a.csv", text("x,y\n1,\n"), PLAIN, 3, ["no value in line 2, column 'y'"]),
        ("a.csv", text("x,kind\n1,cat\n"), PLAIN, 3, ["'cat' in line 2", "--columns x"]),
        ("a.csv", text("cat\ndog\n"), PLAIN, 3, ["'dog' in line 2", "a table of numbers"]),
        ("a.csv", text("x,y\n1,2\n3,4,5\n"), PLAIN, 3, ["3 values in line 3", "first has 2"]),
        ("a.csv", text("x,y\n1,2\n3\n"), TableOptions(columns="y"), 3, ["1 value in line 3"]),
        ("a.csv", text("x,y\n1,1_0\n"), PLAIN, 3, ["no table of numbers", "1_0"]),
        ("a.csv", text(b"x,y\n1,2\n\xff\xfe,2\n"), PLAIN, 3, ["neither UTF-8 text", "NPY"]),
        ("a.csv", text("x,x,y\n1,2,3\n"), TableOptions(columns="x"), 2, ["2 columns 'x'"]),
        ("a.csv", text("x,y\n1,2\n"), NAMED, 2, ["no column 'w'", "x, y", "from 1 to 2"]),
        ("a.csv", text("x,y\n1,2\n"), TableOptions(columns="3"), 2, ["no column '3'"]),
        ("a.csv", text("x,y\n1,2\n"), TableOptions(columns="x,1"), 2, ["'x' twice"]),
        ("a.csv", text("x,y\n1,2\n"), TableOptions(array="a"), 2, ["--array a", "leave it out"]),
        ("a.csv", text("x\n1\n"), TableOptions(weights="x"), 2, ["no column beside"]),
        ("a.csv", text("x,w\n1,0\n"), TableOptions(weights="w"), 3, ["no weight above 0"]),
        ("a.csv", text("x,w\n1,nan\n"), TableOptions(weights="w"), 3, ["NaN", "column 'w'"]),
        ("a.npy", npy(np.array([1, None])), PLAIN, 3, ["never unpickled", "astype(float)"]),
        ("a.npy", npy(np.array(["a", "b"])), PLAIN, 3, ["holds text", "astype(float)"]),
        ("a.npy", npy(np.array([1j, 2])), PLAIN, 3, ["complex numbers"]),
        ("a.npy", npy(np.zeros((2, 3, 4))), PLAIN, 3, ["shape (2, 3, 4)", "(n, d)"]),
        ("a.npy", npy(np.float64(3)), PLAIN, 3, ["shape ()"]),
        ("a.npy", npy(np.zeros((0, 2))), PLAIN, 3, ["no rows"]),
        ("a.npy", npy(np.zeros((3, 0))), PLAIN, 3, ["shape (3, 0)"]),
        ("a.npy", npy(np.array([[1.0, np.inf]])), PLAIN, 3, ["infinite", "row 1, column '2'"]),
        ("a.npy", cut, PLAIN, 3, ["damaged or cut short"]),
        ("a.npz", text(b"PK\x03\x04 and so on"), PLAIN, 3, ["damaged or cut short"]),
        ("a.npz", npz(a=np.zeros((3, 2)), b=np.ones(4)), PLAIN, 2, ["several arrays", "a, b"]),
        ("a.npz", npz(a=np.zeros(3)), TableOptions(array="b"), 2, ["no array 'b'", "out of a"]),
        ("a.npz", npz(a=np.array([None])), PLAIN, 3, ["never unpickled"]),
        ("a.npz", npz(), PLAIN, 3, ["no array"]),
        ("a.parquet", text(b"PAR1 and so on"), PLAIN, 3, ["damaged or cut short"]),
        ("a.parquet", lambda p: save_parquet(p, w=[1, None, 2]), PLAIN, 3, ["row 2, column 'w'"]),
        ("a.parquet", lambda p: save_parquet(p, w=list("abc")), PLAIN, 3, ["column 'w'"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence_with_place_and_remedy(
    name: str,
    write: Callable[[Path], Any] | None,
    options: TableOptions,
    code: int,
    parts: list[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / name
    if write is not None:
        write(path)
    with pytest.raises(TrackerError) as caught:
        read_table(str(path), options)
    said = str(caught.value)
    assert caught.value.exit_code == code
    assert "\n" not in said
    assert ". " not in said
    assert ";" in said  # what was wrong; what to do
    for part in parts:
        assert part in said, said


def test_a_missing_column_of_an_earlier_fit_names_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(csv_text(","))
    with pytest.raises(TrackerError, match=r"no column 'w', .*--columns 2 out of x, y, z"):
        read_table(str(path), PLAIN, wanted=("x", "w"))


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TrackerError, match=r"pip install pyarrow") as caught:
        read_table(str(tmp_path / "a.parquet"), PLAIN)
    assert caught.value.exit_code == 2
