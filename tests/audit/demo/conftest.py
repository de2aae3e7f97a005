"""A demonstration in small: made-up packages, made-up ratings, an encoder with random weights."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from audit.demo.parts import Part
from audit.places import DEMO, demo_folder

STEMS = ("movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets", "tweets")


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, to in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, to
            archive.addfile(member)
    return out.getvalue()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pin(files: Mapping[str, bytes]) -> str:
    """`content_of`, worked out on its own."""
    return sha("".join(f"{place} {sha(content)}\n" for place, content in sorted(files.items())).encode())


def wheel(package: str, files: Mapping[str, bytes]) -> bytes:
    info = f"{package}-1.0.dist-info"
    return zipped(
        {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )


class Packages:
    """A folder of archives and the parts that are taken out of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marker = folder / "code-was-run"
        folder.mkdir()

    def wheel(self, package: str, files: Mapping[str, bytes]) -> Part:
        content = wheel(package, {f"{package}/{name}": data for name, data in files.items()})
        return self._add(package, f"{package}-1.0-py3-none-any.whl", content, files, prefix=f"{package}/")

    def nested(self, package: str, files: Mapping[str, bytes]) -> Part:
        """A source archive with an inner archive; its setup.py leaves a mark when it is run."""
        code = f"from pathlib import Path\nPath({str(self.marker)!r}).touch()\n"
        root = f"{package}-1.0"
        content = tarred(
            {
                f"{root}/PKG-INFO": f"Metadata-Version: 1.0\nName: {package}\nVersion: 1.0\n".encode(),
                f"{root}/setup.py": code.encode(),
                f"{root}/LICENSE.txt": b"licence",
                f"{root}/more/inner.tar.gz": tarred({f"in/{name}": data for name, data in files.items()}),
            }
        )
        return self._add(
            package,
            f"{package}-1.0.tar.gz",
            content,
            files,
            prefix="in/",
            inner=f"{root}/more/inner.tar.gz",
            notices={f"{root}/LICENSE.txt": "LICENSE.txt"},
        )

    def raw(self, package: str, content: bytes, inside: str) -> Part:
        """A part of one file, out of an archive made by hand."""
        archive = f"{package}-1.0.bin"
        (self.folder / archive).write_bytes(content)
        return Part(
            package=package,
            version="1.0",
            archive=archive,
            sha256=sha(content),
            megabytes=1,
            files={inside: "taken"},
            content="",
        )

    def _add(
        self,
        package: str,
        archive: str,
        content: bytes,
        files: Mapping[str, bytes],
        *,
        prefix: str,
        inner: str | None = None,
        notices: Mapping[str, str] | None = None,
    ) -> Part:
        (self.folder / archive).write_bytes(content)
        return Part(
            package=package,
            version="1.0",
            archive=archive,
            sha256=sha(content),
            megabytes=1,
            inner=inner,
            files={f"{prefix}{name}": name for name in files},
            notices=notices or {},
            content=pin(files),
        )


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For a model this small a second thread only waits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path / "packages")


@pytest.fixture
def zip_of() -> Callable[[Mapping[str, bytes]], bytes]:
    return zipped


@pytest.fixture
def tar_of() -> Callable[..., bytes]:
    return tarred


@pytest.fixture
def steps() -> list[str]:
    """What `on_step` was told; pass `steps.append`."""
    return []


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights and a vocabulary of a few words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "bad", "film", "long", "and", "very"]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": 64, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        size = BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
        BertModel(size).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def brought() -> Path:
    """The real demo folder; a test that asks for it is skipped until `audit demo` has filled it."""
    folder = demo_folder()
    missing = [name for name, place in DEMO.items() if not (folder / place).exists()]
    if missing:
        pytest.skip(f"the demonstration is not here ({', '.join(missing)}): run `audit demo`")
    return folder
