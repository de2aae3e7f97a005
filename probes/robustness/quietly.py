"""TextAttack without what it does beside: downloads, files in the home folder, settings, needless work.

Its import fetches NLTK's and Stanza's data, writes a mark under `~/.cache/textattack`, sets an environment
variable, and switches off every logger that exists; building a WordNet recipe fetches again.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from probes import lexicons

LONGEST = 40
"""Characters of a text that is remembered whole: words are, whole texts hardly ever come twice."""

CHINESE = re.compile("[\u4e00-\u9fff]")
"""Letters for which TextAttack cuts the whole text into words; of all others it cuts what stands apart."""

HOME = "~/.cache/textattack"
DONE = "post_install_check_3"
"""The file by which TextAttack knows that it has fetched its data."""


def bring() -> None:
    """Import TextAttack; to be called where NLTK finds its stop words, which the import reads."""
    if "textattack" in sys.modules:
        return
    with tempfile.TemporaryDirectory() as folder, quiet(), _loggers(), _settings(folder):
        (Path(folder) / DONE).touch()
        import textattack  # noqa: F401


@lru_cache(maxsize=1)
def stand_in() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for NLTK to look in last, gone with the process: our stop words."""
    folder = tempfile.TemporaryDirectory(prefix="stand-in-")
    words = Path(folder.name) / "corpora/stopwords"
    words.mkdir(parents=True)
    (words / "english").write_text("\n".join(lexicons.load("stop_words").entries), encoding="utf-8")
    return folder


@contextmanager
def quiet() -> Iterator[None]:
    """Let NLTK fetch nothing, and hide TextAttack's remarks and warnings about how it was built."""
    import nltk  # comes with textattack

    log = logging.getLogger("textattack.shared.utils.install")
    fetch, level = nltk.download, log.level
    nltk.download = lambda *_, **__: False
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        nltk.download = fetch
        log.setLevel(level)


@contextmanager
def remembering() -> Iterator[None]:
    """Let TextAttack remember what it split: each candidate splits each of its words by regular expressions.

    That takes half of all the time that a search spends beside the model. The lists are the same.
    """
    from textattack.shared import attacked_text

    split = attacked_text.words_from_text

    @lru_cache(maxsize=2**16)
    def known(word: str) -> tuple[str, ...]:
        return tuple(split(word))

    def words_from_text(text: str) -> list[str]:
        if len(text) <= LONGEST:
            return list(known(text))
        if CHINESE.search(text):
            return list(split(text))
        return [word for part in text.split() for word in known(part)]

    attacked_text.words_from_text = words_from_text
    try:
        yield
    finally:
        attacked_text.words_from_text = split


@contextmanager
def _settings(folder: str) -> Iterator[None]:
    """Let TextAttack keep its files in this folder; keep the environment, and Stanza out."""
    environment, expand = dict(os.environ), os.path.expanduser
    stanza = sys.modules.pop("stanza", None)
    os.environ.pop("TA_CACHE_DIR", None)  # it would move the folders of other libraries too
    os.path.expanduser = lambda path: folder if path == HOME else expand(path)  # type: ignore[assignment]
    sys.modules["stanza"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        os.path.expanduser = expand
        os.environ.clear()
        os.environ.update(environment)
        del sys.modules["stanza"]
        if stanza is not None:
            sys.modules["stanza"] = stanza


@contextmanager
def _loggers() -> Iterator[None]:
    """Keep the loggers that exist as they are: TextAttack's settings switch them off."""
    known = [log for log in logging.root.manager.loggerDict.values() if isinstance(log, logging.Logger)]
    disabled = [log.disabled for log in known]
    try:
        yield
    finally:
        for log, was in zip(known, disabled, strict=True):
            log.disabled = was
