"""What a round costs over the real engine: four site processes on loopback with TLS, a model that takes no time.

    python -m benchmarks.transport_overhead [--rounds 12] [--json]

A round is: every site tunes one step, the hub aggregates, every site scores the result. The model is the scripted one,
so what is measured is the way there and back, the gate, the ledger and the store of replies, each with its fsync. The
same rounds in one process are the second row; the first round of each is left out, since it loads libraries.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.loopback import Loopback
from benchmarks.report import Row, report, show
from fedprompt.evaluation.column_map import BY_NAME
from fedprompt.federation.hub import Hub
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.transports.flare.transport import FlareTransport
from fedprompt.federation.transports.local import LocalTransport
from fedprompt.federation.transports.transport import Transport
from fedprompt.models.scripted import ScriptedModel
from fedprompt.study.files import read_study
from fedprompt.study.schema import Study
from fedprompt.verbs.describe import ask_describe
from fedprompt.workspace.enrolled.hub_engine import running_hub
from fedprompt.workspace.enrolled.site_folder import enrolled
from fedprompt.workspace.home import find_home
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.site.run import open_worker

SITES = ("ant", "bee", "cat", "dog")
TARGET_SECONDS = 1.0
STUDY = """\
study: overhead
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates: [{name: plain, text: "Review: {text}\\nSentiment:"}]
soft: {template: "Review: {text}{soft}\\nSentiment:", tokens: 8, init: "Overall the feeling is"}
tuning: {steps: 1, batch: 8}
privacy: {min_cases: 5, questions: 100000, updates: 100000, details: totals}
"""


class Stopwatch:
    """Keeps the moments at which rounds were written."""

    def __init__(self) -> None:
        self.moments = [time.monotonic()]

    def written(self) -> Sequence[RoundRecord]:
        """Return no rounds: each run begins anew."""
        return ()

    def begin(self, number: int, plan: Mapping[str, Any]) -> None:
        """Keep nothing."""

    def write(self, record: RoundRecord) -> None:
        """Note when."""
        self.moments.append(time.monotonic())

    @property
    def seconds(self) -> list[float]:
        """Seconds of each round but the first."""
        return [b - a for a, b in zip(self.moments[1:-1], self.moments[2:], strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedprompt-") as folder:
        rows = _measure(Path(folder), options.rounds)
    show(report("transport_overhead", rows), as_json=options.json)


def _measure(root: Path, count: int) -> list[Row]:
    path = root / "study.yaml"
    path.write_text(STUDY + f"rounds: {{count: {count}}}\n", encoding="utf-8")
    files = {site: cases_file(root / f"{site}.csv", site) for site in SITES}
    study, model = read_study(path), ScriptedModel()
    digest = study.digest(model.info.digest)
    with Loopback(root) as loopback:
        began = time.monotonic()
        loopback.enrol(SITES, path)
        enrolment = (time.monotonic() - began) / (1 + len(SITES))
        # In one process, on copies of the sites' folders that know of no task.
        workers = {}
        for site in SITES:
            home = find_home(root / "local" / site)
            source = enrolled(loopback.sites[site], site)
            (home.sites / site).mkdir(parents=True)
            for name in ("site.key", "site.json"):
                (home.sites / site / name).write_bytes((source.folder.path / name).read_bytes())
            workers[site] = open_worker(home, enrolled(home, site), source.the_study(None), files[site], BY_NAME)
        local = _rounds(LocalTransport({s: w.handle for s, w in workers.items()}), digest, study, model)
        loopback.start_hub()
        for site in SITES:
            loopback.start_site(site, files[site])
        with FlareTransport(partial(running_hub, loopback.hub), SITES, patience=60.0) as transport:
            hub = Hub(transport, digest)
            began = time.monotonic()
            ask_describe(hub, SITES[0])
            first = time.monotonic() - began
            questions = []
            for _ in range(20):
                began = time.monotonic()
                ask_describe(hub, SITES[0])
                questions.append(time.monotonic() - began)
            rounds = _rounds(transport, digest, study, model)
    ours, inside = median(rounds), median(local)
    return [
        Row("a round, four site processes", "s", ours, target=TARGET_SECONDS, met=ours < TARGET_SECONDS),
        Row("the same round in one process", "s", inside),
        Row("one question to one site", "s", median(questions)),
        Row("from asking for a job to its first answer", "s", first),
        Row("enrolling one party", "s", enrolment),
    ]


def _rounds(transport: Transport, digest: str, study: Study, model: ScriptedModel) -> list[float]:
    watch = Stopwatch()
    start = start_prompt(model, study)
    hub = Hub(transport, digest)
    template, tuning = study.soft_template(), study.tuning
    run_rounds(hub, template, start, rounds=study.rounds, tuning=tuning, seed=0, writer=watch)
    return watch.seconds


def cases_file(path: Path, site: str) -> Path:
    """Write 60 short cases and return their file."""
    lines = [f"{site} {n} was {('good', 'bad')[n % 2]},{('positive', 'negative')[n % 2]}" for n in range(60)]
    path.write_text("\n".join(["text,answer", *lines]) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
