"""Tables of scores load in pandas and Arrow with every number, and the model card in the Hub's own class."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ExportContext, Exported, Format, ImportContext, ScoreLine
from fedprompt.exports.registry import format_of
from fedprompt.exports.scores.csv_scores import CsvScores
from fedprompt.exports.scores.parquet_scores import ParquetScores
from fedprompt.exports.texts.markdown import Markdown
from fedprompt.study.score import Score
from tests.coded import coded

Make = Callable[..., Exported]
HERE = ImportContext()


def line(prompt: str, site: str = "tweets", *, run: str = "r1", right: int = 30, split: str = "test") -> ScoreLine:
    numbers = {"n": 40, "total": right, "squares": right, "groups": 40, "group_squares": 7.5}
    score = Score.model_validate({"prompt": prompt, "split": split, "metric": "accuracy", **numbers})
    return ScoreLine(run, "mood", site, None, "2026-01-02T03:04:05+00:00", score)


@pytest.fixture
def items(exported: Make) -> list[Exported]:
    first, second = exported(name="=HYPERLINK(1)"), exported("{text}{soft}", "m", name="tuned")
    return [
        replace(first, lines=(line(first.prompt.id), line(first.prompt.id, "movies", right=20))),
        replace(second, lines=(line(second.prompt.id, run="r2"),)),
    ]


def test_parquet_holds_every_number_typed_and_the_card(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path
) -> None:
    import pandas
    import pyarrow.parquet as pq

    path = ParquetScores().write(items, tmp_path / "s.parquet", nowhere)
    frame = pandas.read_parquet(path)
    assert len(frame) == 3
    mine = frame[frame["prompt"] == items[0].prompt.id].set_index("site")
    assert mine.loc["movies", "value"] == 0.5
    assert (mine.loc["tweets", "n"], mine.loc["tweets", "group_squares"]) == (40, 7.5)
    assert set(frame["name"]) == {"=HYPERLINK(1)", "tuned"}
    assert frame["round"].isna().all()
    metadata = pq.read_schema(path).metadata
    assert b"### How to read the answer" in metadata[b"fedprompt.card"]
    again = ParquetScores().write([*reversed(items)], tmp_path / "again.parquet", nowhere)
    assert pandas.read_parquet(again).equals(frame)
    assert ParquetScores().write(items, tmp_path / "b.parquet", nowhere).read_bytes() == path.read_bytes()


def test_csv_holds_the_same_and_no_cell_runs_in_a_spreadsheet(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path
) -> None:
    path = CsvScores().write(items, tmp_path / "s.csv", nowhere)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    assert [(row["site"], row["value"]) for row in rows if row["name"] != "tuned"] == [
        ("movies", "0.5"),
        ("tweets", "0.75"),
    ]
    assert {row["name"] for row in rows} == {"'=HYPERLINK(1)", "tuned"}
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert "apostrophe" in CsvScores().drops(items[0])[1]
    assert len(CsvScores().drops(items[1])) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(site=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), right=st.integers(0, 40))
def test_any_score_survives_both_tables(
    exported: Make, nowhere: ExportContext, tmp_path: Path, site: str, right: int
) -> None:
    import pyarrow.parquet as pq

    item = exported()
    item = replace(item, lines=(line(item.prompt.id, site, right=right),))
    typed = pq.read_table(ParquetScores().write([item], tmp_path / "s.parquet", nowhere)).to_pylist()[0]
    text = CsvScores().write([item], tmp_path / "s.csv", nowhere).read_bytes().decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    escaped = len(CsvScores().drops(item)) > 1
    assert (typed["site"], typed["value"]) == (site, right / 40)
    assert (row["site"][escaped:], float(row["value"])) == (site, right / 40)


@pytest.mark.parametrize("format", [CsvScores(), ParquetScores(), Markdown()])
def test_tables_and_pages_come_with_a_card_and_are_not_imported(
    items: list[Exported], nowhere: ExportContext, tmp_path: Path, format: Format
) -> None:
    path = format.write(items, tmp_path / "s.zip", nowhere)
    assert format_of(path).name == format.name
    with pytest.raises(ExportError, check=coded("no-prompt")):
        format.read(path, HERE)
    folder = format.write(items, tmp_path / "folder", nowhere)
    assert "accuracy 0.850" in (folder / "README.md").read_text("utf-8")
    single = format.write(items, tmp_path / f"one{format.suffix}", nowhere)
    assert format_of(single).name == format.name


@pytest.mark.parametrize("format", [CsvScores(), ParquetScores()])
def test_prompts_without_scores_make_no_table(
    exported: Make, nowhere: ExportContext, tmp_path: Path, format: Format
) -> None:
    assert format.refuses(exported()) is not None
    with pytest.raises(ExportError, check=coded("no-scores")):
        format.write([exported()], tmp_path / f"s{format.suffix}", nowhere)
    assert list(tmp_path.iterdir()) == []
