"""Ratings become labels by a fixed rule; nothing is lost uncounted, and no text stands on both sides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.demo.parts import RATINGS
from audit.demo.prepare import BAND, DOMAINS, Rated, decode, for_test, prepare, read
from audit.errors import DataError
from audit.places import DEMO


def write(folder: Path, stem: str, rows: list[tuple[str, str, str, str]]) -> None:
    """Rows of id, mean, text, single ratings, in the source's form: tabs, CRLF, a byte order mark."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = "".join(f"{name}\t{mean}\t{text}\r\n" for name, mean, text, _ in rows)
    single = "".join(f"{name}\t{mean}\t0.5\t{ratings}\r\n" for name, mean, _, ratings in rows)
    (folder / f"{stem}_GroundTruth.txt").write_bytes(truth.encode())
    (folder / f"{stem}_anonDataRatings.txt").write_bytes("\ufeff".encode() + single.encode())


ROWS = [
    ("1", "2.0", "fine film", "[2, 3, 1]"),
    ("2", "-1.0", "poor film", "[-3, 0, 0]"),
    ("3", "0.2", "a film", "[1, 0, 0]"),
    ("4", "1.0", "FINE  film", "[4, 0, -1]"),
]


def four_domains(folder: Path) -> Path:
    for stem in DOMAINS.values():
        write(folder / RATINGS, stem, ROWS)
    return folder


def rated(rating: float, ratings: tuple[int, ...] = (1,)) -> Rated:
    return Rated(id="1", text="a", rating=rating, ratings=ratings)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("rating", "label"),
    [
        (4.0, "positive"),
        (0.500001, "positive"),
        (0.5, None),
        (0.0, None),
        (-0.5, None),
        (-0.500001, "negative"),
        (-4.0, "negative"),
    ],
)
def test_the_band_and_its_edges_are_neutral(rating: float, label: str | None) -> None:
    assert label == rated(rating).label


def test_raters_at_zero_are_on_no_side() -> None:
    assert 0.5 == rated(0.75, (3, 1, 0, -1)).agreement
    assert 0.25 == rated(-0.75, (3, 0, 0, -1)).agreement


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=100))
def test_agreement_is_a_share_and_labels_follow_the_sign(ratings: list[int]) -> None:
    one = rated(sum(ratings) / len(ratings), tuple(ratings))
    assert 0 <= one.agreement <= 1
    assert (one.label is None) == (abs(one.rating) <= BAND)


def test_odd_bytes_are_read_as_the_windows_bytes_they_are() -> None:
    assert "it’s café" == decode(b"it\x92s caf\xe9")
    assert "café" == decode("café".encode())
    assert "a" == decode(b"\xef\xbb\xbfa")


@given(st.binary())
def test_any_bytes_can_be_read(raw: bytes) -> None:
    assert isinstance(decode(raw), str)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    write(tmp_path, "x", [("1", "1.0", "one\u2028two\x0bthree\x85four", "[1]"), ("2", "1.0", "five", "[1]")])
    assert ["one\u2028two\x0bthree\x85four", "five"] == [one.text for one in read(tmp_path, "x")]


def test_ratings_are_joined_by_id_and_not_by_place(tmp_path: Path) -> None:
    write(tmp_path, "x", [("1", "1.0", "one", "[1]"), ("2", "2.0", "two", "[2]")])
    single = tmp_path / "x_anonDataRatings.txt"
    first, second = single.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True)
    single.write_bytes(second + first)
    assert [(1,), (2,)] == [one.ratings for one in read(tmp_path, "x")]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (("2", "high", "two", "[1]"), "line 2"),
        (("2", "nan", "two", "[1]"), "line 2"),
        (("2", "4.1", "two", "[1]"), "line 2"),
        (("1", "1.0", "two", "[1]"), "line 2"),
        (("2", "1.0", "two\tthree", "[1]"), "line 2"),
        (("2", "1.0", "two", "[]"), "line 2"),
        (("2", "1.0", "two", "[a]"), "line 2"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path: Path, row: tuple[str, str, str, str], line: str) -> None:
    write(tmp_path / RATINGS, "x", [ROWS[0], row])
    with pytest.raises(DataError, match=rf"x_.*{line}.*remove the folder ratings"):
        read(tmp_path / RATINGS, "x")


def test_a_snippet_without_single_ratings_is_named(tmp_path: Path) -> None:
    write(tmp_path, "x", ROWS)
    (tmp_path / "x_anonDataRatings.txt").write_text("1\t2.0\t0.5\t[2]\n")
    with pytest.raises(DataError, match="line 2"):
        read(tmp_path, "x")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.*run `audit demo` again"):
        prepare(tmp_path, [].append)


def test_neutral_snippets_are_left_out_and_counted(tmp_path: Path, steps: list[str]) -> None:
    counts = prepare(four_domains(tmp_path), steps.append)
    assert (4, 2, 1, 1) == (
        counts["amazon"].rows,
        counts["amazon"].positive,
        counts["amazon"].negative,
        counts["amazon"].neutral,
    )
    # Of rows 2 and 3 the mean of the ratings is the stated one within rounding only for row 2.
    assert 1 == counts["amazon"].restated
    assert "amazon: 2 positive and 1 negative of 4 snippets, 1 neutral left out" in steps


def test_a_line_says_id_text_label_rating_and_agreement(tmp_path: Path, steps: list[str]) -> None:
    prepare(four_domains(tmp_path), steps.append)
    expected = {
        "id": "tweets-2",
        "text": "poor film",
        "label": "negative",
        "rating": -1.0,
        "agreement": 0.3333,
    }
    assert expected == lines(tmp_path / DEMO["tweets"])[1]


def test_movies_are_parted_and_every_snippet_is_on_one_side(tmp_path: Path, steps: list[str]) -> None:
    folder = four_domains(tmp_path)
    write(
        folder / RATINGS, DOMAINS["movies"], [(str(i), "1.0", f"film number {i}", "[1]") for i in range(500)]
    )
    prepare(folder, steps.append)
    test = {str(row["id"]) for row in lines(folder / DEMO["movies/test"])}
    train = {str(row["id"]) for row in lines(folder / DEMO["movies/train"])}
    assert {f"movies-{i}" for i in range(500)} == test | train
    assert set() == test & train
    assert 60 <= len(test) <= 140  # 1 in 5 of 500, give or take 4.5 standard deviations


@given(st.text())
def test_texts_equal_but_for_case_and_spaces_are_on_one_side(text: str) -> None:
    assert for_test(text) == for_test(f"  {text}\n") == for_test(text.casefold())


def test_files_that_are_right_stay_untouched(tmp_path: Path, steps: list[str]) -> None:
    folder = four_domains(tmp_path)
    prepare(folder, steps.append)
    before = {place: (folder / place).stat().st_mtime_ns for place in (DEMO["amazon"], "SOURCES.json")}
    (folder / DEMO["tweets"]).write_text("broken")
    prepare(folder, steps.append)
    assert before == {place: (folder / place).stat().st_mtime_ns for place in before}
    assert 3 == len(lines(folder / DEMO["tweets"]))


def test_sources_say_licence_counts_and_hashes(tmp_path: Path, steps: list[str]) -> None:
    prepare(four_domains(tmp_path), steps.append)
    sources = json.loads((tmp_path / "SOURCES.json").read_text())
    assert sources["licence"].startswith("MIT")
    assert 1 == sources["domains"]["editorials"]["neutral"]
    assert 3 == sources["files"]["tweets.jsonl"]["rows"]
    assert 64 == len(sources["files"]["tweets.jsonl"]["sha256"])


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, steps: list[str]) -> None:
    folder = four_domains(tmp_path)
    (folder / "movies").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written.*movies"):
        prepare(folder, steps.append)


@pytest.mark.model
@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("movies", (10605, 4982, 5061, 562)),
        ("amazon", (3708, 1725, 1218, 765)),
        ("editorials", (5190, 1100, 1688, 2402)),
        ("tweets", (4200, 2300, 1062, 838)),
    ],
)
def test_the_real_ratings_give_the_published_counts(
    brought: Path, domain: str, expected: tuple[int, int, int, int]
) -> None:
    rows = read(brought / RATINGS, DOMAINS[domain])
    labels = [one.label for one in rows]
    assert expected == (
        len(rows),
        labels.count("positive"),
        labels.count("negative"),
        labels.count(None),
    )


@pytest.mark.model
def test_the_real_movies_share_no_text_between_test_and_train(brought: Path) -> None:
    test, train = (
        [" ".join(str(row["text"]).casefold().split()) for row in lines(brought / DEMO[name])]
        for name in ("movies/test", "movies/train")
    )
    assert set() == set(test) & set(train)
    assert (1915, 8128) == (len(test), len(train))
