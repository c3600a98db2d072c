"""A site's worker is made of its file; its cut is kept, and too few cases are told in numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from fedprompt.errors import DataError
from fedprompt.evaluation.column_map import Columns
from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.cases.site_of_file import cases_of, contents_digest, make_worker, split_cases
from tests.coded import coded
from tests.scripted_sites import MODEL, STUDY, cases, worker, write_cases


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    found = SiteFolder(tmp_path / "site")
    found.prepare()
    return found


def test_a_file_is_read_by_the_studys_fields_and_labels(tmp_path: Path) -> None:
    path = write_cases(tmp_path / "a.csv", "a")
    assert cases_of(path, STUDY) == cases("a")
    path.write_text("note,label\nfine,positive\npoor,negative\n")
    found = cases_of(path, STUDY, Columns({"text": "note", "answer": "label"}))
    assert [case.fields for case in found] == [{"text": "fine"}, {"text": "poor"}]
    path.write_text("text,answer\nfine,mixed\n")
    with pytest.raises(DataError, match=r"a\.csv line 2", check=coded("unknown-label", "no-value")):
        cases_of(path, STUDY)


def test_the_cut_is_kept_and_the_files_order_decides_nothing(folder: SiteFolder) -> None:
    first = split_cases(folder, STUDY, cases("a"))
    again = split_cases(folder, STUDY, cases("a")[::-1])
    assert (again.tune, again.validation, again.test) == (first.tune, first.validation, first.test)
    assert folder.assignment("small").stat().st_mode & 0o777 == 0o600
    more = split_cases(folder, STUDY, cases("a", 120))
    assert set(first.test) <= set(more.test) and set(first.tune) <= set(more.tune)


def test_too_few_cases_are_told_split_by_split(folder: SiteFolder) -> None:
    with pytest.raises(DataError, match=r"a\.csv.*'a'.*10", check=coded("too-few-cases")):
        make_worker(name="a", folder=folder, study=STUDY, model=MODEL, cases=cases("a", 20), where="a.csv")


def test_one_key_and_one_cut_serve_every_worker_of_a_site(tmp_path: Path) -> None:
    one, two = worker(tmp_path), worker(tmp_path)
    assert one.side.splits == two.side.splits


def test_any_change_of_the_cases_is_another_digest_and_another_site_tells_nothing(
    folder: SiteFolder, tmp_path: Path
) -> None:
    found = cases("a", 10)
    digest = contents_digest(folder, found)
    assert contents_digest(folder, cases("a", 10)) == digest
    changed = [
        found[:-1],
        (*found[:-1], replace(found[-1], answer="positive")),
        (*found[:-1], replace(found[-1], group="g")),
        (*found[:-1], replace(found[-1], fields={"text": "x"})),
    ]
    assert len({contents_digest(folder, cases) for cases in changed} - {digest}) == 4
    other = SiteFolder(tmp_path / "other")
    other.prepare()
    assert contents_digest(other, found) != digest
