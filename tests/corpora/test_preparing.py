"""Whatever lies in a folder, what can be read is read once, and what is left out is counted."""

import json
import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fedprompt.corpora.preparing import prepare
from fedprompt.errors import DataError
from fedprompt.stopping import Stopped, StopToken
from tests.corpora.words import KEY, Words, prepared, sentences
from tests.peak_memory import megabytes_beyond


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(sentences(60, 0)):
        (folder / f"{number:02}.txt").write_text(text)
    return folder


def test_text_of_every_format_is_read(tmp_path: Path) -> None:
    folder, made = tmp_path / "texts", sentences(24, 1)
    folder.mkdir()
    (folder / "a.txt").write_text(made[0])
    (folder / "b.md").write_text(made[1])
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in made[2:12])
    (folder / "c.jsonl").write_text("\n".join(lines))
    pq.write_table(pa.table({"text": made[12:23]}), folder / "d.parquet")
    page = f"<html><nav>Menu</nav><script>alert()</script><main><p>{made[23]}</p></main></html>"
    (folder / "e.html").write_text(page)
    words = Words()
    found = prepared([folder], tmp_path / "kept", words)
    assert (found.counts.files, found.counts.documents) == (5, 24)
    assert found.counts.kept + found.counts.held_out == 24
    assert {word for text in made for word in text.split()} == set(words.known)
    assert found.counts.tokens + found.counts.held_out_tokens == 24 * 41  # forty words and the end


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        prepared([tmp_path], tmp_path / "kept")
    assert refused.value.code == "no-text"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        prepared([tmp_path / "nowhere"], tmp_path / "kept")
    assert refused.value.code == "cannot-read"


def test_a_binary_file_among_texts_is_left_out_and_counted(texts: Path, tmp_path: Path) -> None:
    (texts / "picture.txt").write_bytes(bytes(range(256)) * 20)
    (texts / "program.exe").write_bytes(b"MZ\0\0")
    (texts / "late.txt").write_text("good text " * 20_000 + "\0\0")  # the NUL comes behind the first chunk
    found = prepared([texts], tmp_path / "kept")
    assert found.counts.left_out == {"binary": 2, "unknown-ending": 1}
    assert (found.counts.files, found.counts.documents) == (60, 60)  # nothing of the file that broke later stayed
    assert found.counts.tokens + found.counts.held_out_tokens == 60 * 41


def test_an_endless_line_is_cut_and_needs_no_memory(texts: Path, tmp_path: Path) -> None:
    long = texts / "long.txt"
    with long.open("w") as file:
        for part in sentences(2000, 2, 200):
            file.write(part + " ")
        file.write("x" * 2_000_000)  # not even a space
    found = []
    beyond = megabytes_beyond(lambda: found.append(prepared([texts], tmp_path / "kept")))
    assert found[0].counts.documents == 61 and found[0].counts.passages > 61 + 100
    assert beyond < 150


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_unicode_of_other_encodings_is_read(encoding: str, texts: Path, tmp_path: Path) -> None:
    said = "Größe und Übermut tun selten gut, sagte die Wirtin zu dem Gast. " + sentences(1, 3)[0]
    (texts / "other.txt").write_bytes(said.encode(encoding))
    words = Words()
    found = prepared([texts], tmp_path / "kept", words)
    assert found.counts.documents == 61 and {"Größe", "Übermut"} <= set(words.known)


def test_an_older_encoding_is_detected_and_said(texts: Path, tmp_path: Path) -> None:
    said = "Die Größe des Gebäudes überraschte den Gärtner, der früher täglich über die Brücke ging. " * 30
    (texts / "old.txt").write_bytes(said.encode("cp1252"))
    words = Words()
    found = prepared([texts], tmp_path / "kept", words)
    assert sum(found.counts.decoded.values()) == 1 and "Größe" in words.known


def test_near_duplicates_are_kept_once(texts: Path, tmp_path: Path) -> None:
    one = sentences(1, 4, 300)[0].split()
    (texts / "one.txt").write_text(" ".join(one))
    (texts / "two.txt").write_text(" ".join([*one[:150], "changed", *one[151:]]))
    (texts / "three.txt").write_text("\n\n".join(one).upper())
    found = prepared([texts], tmp_path / "kept")
    assert found.counts.near_duplicates == 2
    assert found.counts.kept + found.counts.held_out == 61


def test_evaluation_cases_in_the_text_are_left_out_and_counted(texts: Path, tmp_path: Path) -> None:
    case, short = sentences(2, 5, 25)
    (texts / "case.txt").write_text(f"Before it. {case} And after it.")
    (texts / "near.txt").write_text("Before that. " + case.replace(case.split()[3], "other") + " After.")
    (texts / "whole.txt").write_text("  WHAT now? ")
    (texts / "alike.txt").write_text(" ".join(short.split()[:8]) + " and what now follows is another text")
    found = prepared([texts], tmp_path / "kept", evaluation=(case, short, "What now?"))
    assert found.counts.evaluation == 3


def test_it_is_prepared_once_and_anew_where_a_file_changed(texts: Path, tmp_path: Path) -> None:
    first = prepared([texts], tmp_path / "kept")
    assert prepared([texts], tmp_path / "kept", Words()).digest == first.digest
    assert len(list((tmp_path / "kept").iterdir())) == 1
    (texts / "00.txt").write_text(sentences(1, 6)[0])
    again = prepared([texts], tmp_path / "kept")
    assert again.digest != first.digest and len(list((tmp_path / "kept").iterdir())) == 2


def test_text_that_is_added_moves_no_document_between_the_parts(texts: Path, tmp_path: Path) -> None:
    before = prepared([texts], tmp_path / "kept", words := Words())
    (texts / "zz.txt").write_text(sentences(1, 7)[0])
    after = prepared([texts], tmp_path / "kept", words)
    size = len(before.held_out.tokens)
    assert np.array_equal(after.held_out.tokens[:size], before.held_out.tokens)


def test_what_was_stopped_leaves_nothing(texts: Path, tmp_path: Path) -> None:
    stop = StopToken(lambda: "cancelled")
    with pytest.raises(Stopped):
        prepare([texts], tmp_path / "kept", Words(), tokenizer_digest="w", key=KEY, held_out=0.1, stop=stop)
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_is_kept_is_private_and_no_message_shows_text(texts: Path, tmp_path: Path) -> None:
    prepared([texts], tmp_path / "kept")
    (folder,) = (tmp_path / "kept").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert "w1" not in (folder / "about.json").read_text().replace("window", "")
    secret = tmp_path / "secret.txt"
    secret.write_text("the patient's name is Hortense")
    with pytest.raises(DataError) as refused:
        prepared([secret], tmp_path / "kept", held_out=0.999999)
    assert refused.value.code == "too-little-text" and "Hortense" not in str(refused.value)


def test_a_table_without_the_column_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("id,body\n1,a text\n2,another text\n")
    with pytest.raises(DataError) as refused:
        prepared([table], tmp_path / "kept")
    assert refused.value.code == "no-column"
    assert prepared([table], tmp_path / "kept", column="body", held_out=0.5, key=b"1" * 32).counts.documents == 2
