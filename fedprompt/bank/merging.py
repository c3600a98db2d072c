"""Takes over from another bank what this one lacks. Ids are content, so two banks can never mean two things by one.

What is here stays; rows come in batches, each a transaction, in an order in which every batch refers only to what is
there already. So others write on meanwhile, and a merge that was broken off is a bank, and is finished by another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from fedprompt.bank.adapted import rows_named
from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.schema import (
    about,
    adapted,
    comparisons,
    events,
    likenesses,
    prompts,
    records,
    results,
    rounds,
    runs,
    scores,
    stages,
    studies,
)
from fedprompt.bank.scores import add_scores
from fedprompt.bank.sites import identities, label_for
from fedprompt.bank.standings import describe, mark
from fedprompt.bank.tags import stands_for
from fedprompt.bank.texts import from_json
from fedprompt.bank.wording import index_words
from fedprompt.errors import BankError

__all__ = ["merge_banks"]

BATCH, FEW = 2_000, 100
ORDER = (studies, prompts, likenesses, records, runs, results, stages, rounds, scores, comparisons, events)
BY_SITE = (scores, comparisons)


def merge_banks(target: Database, source: Database, private: Sequence[str] = ()) -> dict[str, int]:
    """Return table -> how many rows came; ``private`` names the adapted prompts that are taken over.

    Raises:
        BankError: the two call different runs by one id, or this bank cannot be written; nothing was changed.
    """
    with source.read() as there:
        _check_runs(target, there)
        bank = str(there.execute(select(about.c.value).where(about.c.key == "bank")).scalar_one())
        named = identities(there)
        with target.write() as here:
            labels = {label: label_for(here, _name(label), identity) for label, identity in named.items()}
        added = {table.name: _merge(target, there, table, labels, bank) for table in ORDER}
    added[adapted.name] = _merge_adapted(target, source, private)
    del added["likenesses"]  # they come with their prompts
    return added


def _merge(target: Database, there: Connection, table: Table, labels: Mapping[str, str], bank: str) -> int:
    size = FEW if table is prompts else BATCH
    key = table.c.number if "number" in table.c else next(iter(table.primary_key.columns))
    found = there.execute(select(table).order_by(key), execution_options={"yield_per": size})
    count = 0
    for batch in found.partitions(size):
        rows = [_row(row._mapping, table, labels, bank) for row in batch]
        with target.write() as here:
            if table is scores:
                count += _merge_scores(here, rows)
            else:
                first = next(iter(table.primary_key.columns))
                added = here.execute(insert_once(here, table).returning(first), rows)
                count += len(added.all())
                if table is records:
                    came = list(dict.fromkeys(row["prompt"] for row in rows))
                    index_words(here, came)
                    describe(here, came)
    return count


def _merge_adapted(target: Database, source: Database, names: Sequence[str]) -> int:
    with source.read() as there:
        rows = [
            _row(row._mapping, adapted, {}, "") for row in there.execute(rows_named(names).order_by(adapted.c.name))
        ]
    with target.write() as here:
        taken = set(here.execute(select(adapted.c.name)).scalars())
        new = [row for row in rows if row["name"] not in taken and stands_for(here, row["name"]) is None]
        if new:
            here.execute(adapted.insert(), new)
    return len(new)


def _merge_scores(here: Connection, rows: list[dict[str, Any]]) -> int:
    """Add scores of any runs, and take them into account study by study."""
    bodies = {_key(row): from_json(row["body"]) for row in reversed(rows)}
    study_of = {row.id: row.study for row in here.execute(select(runs.c.id, runs.c.study))}
    added: dict[str, list[dict[str, Any]]] = {}
    came = add_scores(here, rows)
    for row in came:
        body = bodies[_key(row)]
        added.setdefault(study_of[row["run"]], []).append({**row, "n": body["n"], "total": body["total"]})
    for study, marked in added.items():
        mark(here, study, marked)
    return len(came)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["run"], row["site"], row["prompt"], row["split"], row["round"]


def _row(row: Mapping[Any, Any], table: Table, labels: Mapping[str, str], bank: str) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if name != "number"}
    if table in BY_SITE:
        found["site"] = labels[found["site"]]
    if table is events:
        found["via"] = found["via"] or bank
    return found


def _name(label: str) -> str:
    """Return a site's own name, without the fingerprint that tells it apart in the other bank."""
    return label.partition("~")[0]


def _check_runs(target: Database, there: Connection) -> None:
    facts = (runs.c.id, runs.c.kind, runs.c.study, runs.c.settings)
    with target.read() as here:
        known = {row.id: tuple(row) for row in here.execute(select(*facts))}
    for row in there.execute(select(*facts)):
        if known.get(row.id, tuple(row)) != tuple(row):
            raise BankError(
                f"run '{row.id}' has other settings in the other bank, so the two cannot be merged",
                code="other-settings",
            )
