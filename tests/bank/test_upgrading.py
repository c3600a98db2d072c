"""A bank of an earlier version is brought up to date in place: its rankings, words and scores are found as before."""

import sqlite3
from contextlib import closing
from pathlib import Path

from fedprompt.bank.filters import Filter
from fedprompt.bank.store import Bank
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from tests.bank.old_bank import old_bank
from tests.ten_cases import score_of

MODEL = "sha256:" + "a" * 64


def test_a_bank_of_the_second_version_is_brought_up_to_date_with_all_it_holds(
    tmp_path: Path, study: Study, digest: str, plain: Prompt, soft: Prompt
) -> None:
    with Bank.open(tmp_path / "now.db") as bank:
        bank.record_study(study, digest, MODEL)
        bank.record_prompts([(plain, {}), (soft, {})], study=digest, origin="study")
        bank.start_run("r", kind="demo", study=digest, settings={})
        bank.record_scores("r", "a", [score_of(plain.id, 6), score_of(soft.id, 9)])
    old = old_bank(tmp_path / "bank.db", "0002")
    with closing(sqlite3.connect(old)) as raw:
        raw.execute("ATTACH ? AS now", (str(tmp_path / "now.db"),))
        for table in ("studies", "prompts", "records", "runs", "scores"):
            raw.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")
        raw.commit()
    with Bank.open(old) as bank:
        assert bank.verify() == ()
        assert [(row.id, row.mean) for row in bank.leaders(Filter(study=digest)).rows] == [
            (soft.id, 0.9),
            (plain.id, 0.6),
        ]
        assert [row.id for row in bank.leaders(Filter(study=digest, kind="soft", words="tuned")).rows] == [soft.id]
        assert [row.score.total for row in bank.scores(prompts=[plain.id])] == [6]


def test_a_prompt_that_comes_after_its_scores_is_ranked_from_then_on(
    bank: Bank, study: Study, digest: str, plain: Prompt
) -> None:
    bank.record_study(study, digest, MODEL)
    bank.start_run("r", kind="demo", study=digest, settings={})
    bank.record_scores("r", "a", [score_of(plain.id, 6)])
    assert bank.leaders(Filter(study=digest)).total == 0 and bank.verify() == ()
    bank.record_prompt(plain, study=None, origin="import")
    assert bank.leaders(Filter(study=digest, origin="import")).total == 1
    bank.record_prompt(plain, study=digest, origin="study")  # the study's own record comes before others
    assert bank.leaders(Filter(study=digest, origin="import")).total == 0
    assert bank.leaders(Filter(study=digest, origin="study")).total == 1 and bank.verify() == ()


def test_pages_from_either_end_are_the_same_ranking(bank: Bank, study: Study, digest: str) -> None:
    made = [Prompt(Template(f"n{number}", text=f"{number} {{text}}")) for number in range(11)]
    bank.record_study(study, digest, MODEL)
    bank.record_prompts([(prompt, {}) for prompt in made], study=digest, origin="study")
    bank.start_run("r", kind="demo", study=digest, settings={})
    bank.record_scores("r", "a", [score_of(prompt.id, number % 4) for number, prompt in enumerate(made)])
    for order, site in (("mean", None), ("worst", None), ("pooled", None), ("site", "a")):
        wanted = Filter(study=digest, site=site)
        whole = [row.id for row in bank.leaders(wanted, order=order).rows]  # type: ignore[arg-type]
        pages = [bank.leaders(wanted, order=order, limit=3, offset=at) for at in range(0, 15, 3)]  # type: ignore[arg-type]
        assert [row.id for page in pages for row in page.rows] == whole and len(whole) == 11


def test_words_are_found_by_their_beginning_in_name_and_text(bank: Bank, study: Study, digest: str) -> None:
    bank.record_study(study, digest, MODEL)
    one, two = (Prompt(Template(name, text=text)) for name, text in (("Größe", "Tell me! {text}"), ("b", "toll 77%")))
    bank.record_prompts([(one, {}), (two, {})], study=digest, origin="study")
    bank.start_run("r", kind="demo", study=digest, settings={})
    bank.record_scores("r", "a", [score_of(one.id, 1), score_of(two.id, 2)])
    for words, found in (("GRÖSSE tel", [one]), ("t", [two, one]), ("7", [two]), ("ell", []), ("!", []), ("%'_", [])):
        rows = bank.leaders(Filter(study=digest, words=words)).rows
        assert [row.id for row in rows] == [prompt.id for prompt in found], words
