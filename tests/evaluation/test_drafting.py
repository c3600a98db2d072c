"""Drafted studies: the right columns, valid, and without a word of a case."""

import json
from pathlib import Path

import pytest
import yaml

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.evaluation.drafting import draft_study
from fedprompt.evaluation.readers import read_cases
from fedprompt.study.files import parse_study
from tests.coded import coded

TEXTS = [f"The quick brown fox number {i} jumped over everything here" for i in range(12)]


def csv(folder: Path, header: str, rows: list[str], name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_draft_is_a_valid_study_with_four_templates_and_a_soft_slot(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,note,label", [f"{i},{text},{'no' if i % 3 else 'yes'}" for i, text in enumerate(TEXTS)])
    study = parse_study(draft_study(path))
    assert study.study == "mine"
    assert study.fields == ("note",)
    assert study.answer.labels == ("no", "yes")
    assert [template.name for template in study.templates] == [
        "text-first",
        "instruction-first",
        "chat",
        "two-shot",
    ]
    assert study.soft_template().variables == ("note",)


def test_the_draft_says_the_map_that_reads_the_file(tmp_path: Path) -> None:
    path = csv(tmp_path, "My note,Label", [f"{text},{'ab'[i % 2]}" for i, text in enumerate(TEXTS)])
    draft = draft_study(path, name="notes", model="some/model")
    assert "--map 'My_note=My note,answer=Label'" in draft
    study = parse_study(draft)
    assert (study.study, study.model) == ("notes", "some/model")
    found = read_cases(
        path,
        fields=study.fields,
        labels=study.answer.labels,
        columns=Columns.of({"My_note": "My note", "answer": "Label"}),
    )
    assert len(found.cases) == 12


def test_no_case_text_is_in_a_draft(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,answer", [f"{text},{'ab'[i % 2]}" for i, text in enumerate(TEXTS)])
    assert "fox" not in draft_study(path)


def test_texts_that_do_not_repeat_are_never_labels(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label", [f"a longer secret text {i},secret {i}" for i in range(6)])
    with pytest.raises(DataError, match=r"mine\.csv", check=coded("no-answer-column")):
        draft_study(path)


def test_the_usual_name_wins_over_fewer_values(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,sex,sentiment", [f"{t},{'mf'[i % 2]},{'abc'[i % 3]}" for i, t in enumerate(TEXTS)])
    assert parse_study(draft_study(path)).answer.labels == ("a", "b", "c")


def test_named_columns_are_taken(tmp_path: Path) -> None:
    path = csv(tmp_path, "short,text,a,label", [f"s{i},{t},{'xy'[i % 2]},{i % 3}" for i, t in enumerate(TEXTS)])
    study = parse_study(draft_study(path, answer="a", text="short"))
    assert study.fields == ("short",)
    assert study.answer.labels == ("x", "y")
    with pytest.raises(DataError, match=r"'labels'.*'label'", check=coded("no-such-column")):
        draft_study(path, answer="labels")


def test_labels_that_yaml_would_misread_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": t, "y": i % 2 == 0}) + "\n" for i, t in enumerate(TEXTS)))
    assert parse_study(draft_study(path)).answer.labels == ("false", "true")


def test_labels_with_braces_are_escaped_in_templates(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label", [f"{t},{'{a}' if i % 2 else 'b'}" for i, t in enumerate(TEXTS)])
    assert parse_study(draft_study(path)).answer.labels == ("b", "{a}")


def test_free_answers_become_a_generate_study(tmp_path: Path) -> None:
    path = csv(tmp_path, "question,answer", [f"What is the number that follows {i}?,It is {i + 1}" for i in range(9)])
    study = parse_study(draft_study(path))
    assert study.answer.type == "generate"
    assert study.metric == "score"
    assert study.fields == ("question",)


def test_parquet_is_drafted_from_too(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": TEXTS, "label": [i % 2 for i in range(12)]}), path)
    assert parse_study(draft_study(path)).answer.labels == ("0", "1")


@pytest.mark.parametrize("column", ["soft", "answer text", "2nd", "{x}", "\u00e9", "demonstrations"])
def test_any_column_name_gives_a_valid_study(tmp_path: Path, column: str) -> None:
    path = csv(tmp_path, f"{column},label", [f"{t},{'ab'[i % 2]}" for i, t in enumerate(TEXTS)], "odd {name}!.csv")
    assert len(parse_study(draft_study(path)).fields) == 1


def test_a_file_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, check=coded("no-cases")):
        draft_study(csv(tmp_path, "text,label", []))
    with pytest.raises(DataError, check=coded("no-text-column")):
        draft_study(csv(tmp_path, "label", ["a", "b", "a", "b"]))


def test_the_keys_come_in_the_order_of_the_schema(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,label", [f"{t},{'ab'[i % 2]}" for i, t in enumerate(TEXTS)])
    assert list(yaml.safe_load(draft_study(path))) == [
        "study",
        "model",
        "fields",
        "answer",
        "metric",
        "templates",
        "soft",
        "tuning",
        "rounds",
        "privacy",
    ]
