"""``adapt``: shared prompts at home, with many labelled cases, few, one or none; each odd file has its answer."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fedprompt
from fedprompt.adapting.combining import combined
from fedprompt.adapting.few_shot import FewShot
from fedprompt.cli.main import main
from fedprompt.errors import BankError, DataError, ExportError, FedPromptError
from fedprompt.stopping import Stopped, StopToken
from fedprompt.workspace.answers.adapted_answers import adapted_answer, member_tables
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.exchange import pack_files
from fedprompt.workspace.exchange.exporting import export_prompts, formats
from fedprompt.workspace.exchange.pack_text import pack_bytes
from fedprompt.workspace.local import by_itself
from fedprompt.workspace.local.adapt_result import AdaptResult
from fedprompt.workspace.local.adapting import adapt, keep_adapted
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.results.worth import CurvePoint
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import LABELS, MODEL, cases, write_cases, write_study
from tests.small_pack import MEMBERS, write_small_pack

Adapt = Callable[..., AdaptResult]


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_small_pack(tmp_path / "pack.zip")


@pytest.fixture
def at_home(ws: Workspace, pack: Path, tmp_path: Path) -> Adapt:
    """Adapt the pack to the rows of a file, or to none."""

    def run(rows: str | None = None, **more: Any) -> AdaptResult:
        if rows is not None:
            more["data"] = tmp_path / "mine.csv"
            more["data"].write_text("text,answer\n" + rows, encoding="utf-8")
        return adapt(ws, pack=pack, **more)

    return run


def test_an_adapted_prompt_answers_as_its_members_weighted_and_with_its_bias(
    ws: Workspace, pack: Path, tmp_path: Path
) -> None:
    found = adapt(ws, pack=pack, data=write_cases(tmp_path / "a.csv", "a", 16), show=False)
    assert (found.n, found.counts, found.name) == (16, {"positive": 8, "negative": 8}, "small@home")
    assert [one.weight for one in found.members] == sorted((one.weight for one in found.members), reverse=True)
    assert sum(one.weight for one in found.members) == pytest.approx(1)
    weights = {one.prompt: one.weight for one in found.members}
    fields = {"text": "a lovely evening"}
    tables, _ = member_tables(MODEL, MEMBERS, [cases("b", 1)[0]], adapted_answer(LABELS))
    assert tables.shape == (5, 1, 2)
    with fedprompt.open(tmp_path / "home") as bank:
        for reference in ("small@home", found.adapted, found.adapted[:12]):
            prompt = bank.get(reference)
            assert (prompt.id, prompt.name, prompt.model) == (found.adapted, "small@home", "scripted")
            assert (prompt.fields, prompt.labels) == (("text",), LABELS)
            answer = prompt.run(**fields)
    given = np.array([[_log(member, fields) for member in MEMBERS]])[0][:, None, :]
    wanted = np.exp(combined(given, np.array([weights[m.id] for m in MEMBERS]), np.array(list(found.bias.values()))))
    assert answer.probabilities == pytest.approx(dict(zip(LABELS, wanted[0], strict=True)))
    assert answer.text == max(answer.probabilities, key=lambda label: answer.probabilities[label])


def _log(member: Any, fields: dict[str, str]) -> Any:
    from fedprompt.models.protocols import ChoiceQuery

    template = member.template.with_words(LABELS)
    asked = ChoiceQuery(template.render(fields), tuple(template.words[label] for label in LABELS), member.soft)
    (found,) = MODEL.choices([asked]).loglikelihoods
    return found - np.logaddexp.reduce(found)


def test_how_many_are_right_is_counted_on_cases_that_were_left_out(at_home: Adapt) -> None:
    rows = "".join(f"{case.fields['text']},{case.answer}\n" for case in cases("a", 16))
    found = at_home(rows)
    assert found.alone is not None and found.shared is not None and found.difference is not None
    assert found.alone_by is not None and found.ways[found.alone_by] == found.alone == max(found.ways.values())
    # Without the encoder, which this home has not fetched.
    assert set(found.ways) == {"template", "templates", "shown"} and any("encoder" in note for note in found.notes)
    assert found.difference.value == pytest.approx((found.shared - found.alone) / 16)
    assert f"{found.alone} correct alone" in found.sentence and f"{found.shared} with shared prompts" in found.sentence


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make prompts that show cases answer nearly all that they are asked right."""
    real = by_itself.few_shot

    def few_shot(model: Any, template: Any, shown: Any, asked: Any, *given: Any, **more: Any) -> FewShot:
        found = real(model, template, shown, asked, *given, **more)
        told = np.array([[9.0 * (label == case.answer) for label in LABELS] for case in asked]).reshape(-1, len(LABELS))
        return replace(found, table=told)

    monkeypatch.setattr(by_itself, "few_shot", few_shot)


@pytest.mark.usefixtures("telling")
def test_cases_that_are_shown_are_a_part_of_it_where_they_tell_something_and_it_then_holds_them(
    at_home: Adapt, ws: Workspace, tmp_path: Path
) -> None:
    rows = "".join(f"{case.fields['text']},{case.answer}\n" for case in cases("secretive", 16))
    found = at_home(rows)
    assert (found.shows, found.alone_by, found.alone) == (8, "shown", 16) and found.ways["template"] < 16
    assert [one.weight > 0.1 for one in found.members if one.kind == "shown"] == [True]
    with fedprompt.open(tmp_path / "home") as bank:
        assert sum(bank.get("small@home").run(text="a new day").probabilities.values()) == pytest.approx(1)
    # What lists it tells how many it holds, and none of them; no prompt of the bank holds one.
    row = ws.bank.adapted_row("small@home")
    assert row.shows == 8 and len(ws.bank.adapted(row).shown) == 8 and ws.bank.verify() == ()
    told = json.dumps(as_json(found)) + repr(row) + repr([ws.bank.prompt(id) for id in row.members])
    assert "secretive" not in told
    views = formats(ws, ["small@home"])
    assert not any(view.allowed for view in views)
    with pytest.raises(ExportError, check=coded("holds-cases")):
        export_prompts(ws, ["small@home"], "bundle", tmp_path / "out.zip")
    without = at_home(rows, show=False)
    assert without.shows == 0 and without.alone == 16
    export_prompts(ws, ["small@home"], "bundle", tmp_path / "out.zip")


def test_cases_that_tell_nothing_when_shown_have_no_weight(at_home: Adapt) -> None:
    rng = np.random.default_rng(5)
    rows = "".join(f"zymurgy quixotry {n},{LABELS[int(rng.integers(2))]}\n" for n in range(40))
    found = at_home(rows)
    assert found.shows == 0 and not any(one.kind == "shown" for one in found.members)


def test_labels_that_say_nothing_are_not_learnt_by_heart(at_home: Adapt) -> None:
    # Labels that no text speaks for: whoever judges on the cases that were fitted to finds more than half right.
    rng = np.random.default_rng(5)
    rows = "".join(f"zymurgy quixotry {n},{LABELS[int(rng.integers(2))]}\n" for n in range(40))
    found = at_home(rows)
    assert found.shared is not None and found.shared <= 26


@pytest.mark.parametrize("unlabelled", [False, True])
def test_without_a_labelled_case_the_packs_weights_are_taken(at_home: Adapt, tmp_path: Path, unlabelled: bool) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text\n" + "".join(f"it was terrible {n}\n" for n in range(30)))
    found = at_home(unlabelled=texts if unlabelled else None)
    assert (found.n, found.alone, found.shared, found.difference) == (0, None, None, None)
    assert {round(one.weight, 6) for one in found.members} == {0.2}
    assert found.unlabelled == (30 if unlabelled else 0)
    assert (found.bias["negative"] > 0) == unlabelled and (found.bias["positive"] == 0) != unlabelled


def test_one_case_and_cases_all_alike_teach_nothing_of_the_other_classes(at_home: Adapt) -> None:
    for rows in ("fine,positive\n", "".join(f"fine {n},positive\n" for n in range(8))):
        found = at_home(rows)
        assert found.n == rows.count("\n") and found.shared is None
        assert set(found.bias.values()) == {0.0} and any("positive" in note for note in found.notes)


def test_a_class_without_a_case_is_not_ruled_out(ws: Workspace, tmp_path: Path) -> None:
    three = write_small_pack(tmp_path / "three.zip", labels=(*LABELS, "mixed"))
    data = tmp_path / "mine.csv"
    data.write_text("text,answer\na good day,positive\na bad day,negative\nall fine,positive\n", encoding="utf-8")
    found = adapt(ws, pack=three, data=data)
    assert found.counts == {"positive": 2, "negative": 1, "mixed": 0}
    # Three cases of others say little of it: less than a factor of e against the class that they name once.
    assert found.bias["mixed"] < found.bias["positive"]
    assert found.bias["negative"] - found.bias["mixed"] < 1


def test_contradictory_cases_are_kept_together_and_told(at_home: Adapt) -> None:
    found = at_home("a good day,positive\nA  good day,negative\na bad day,negative\nall fine,positive\n")
    assert found.n == 4 and any("two or more answers" in note for note in found.notes)
    assert found.shared is not None


def test_only_contradictions_cannot_be_judged(at_home: Adapt) -> None:
    found = at_home("a good day,positive\na good day,negative\n")
    assert (found.n, found.shared) == (2, None)


def test_classes_by_other_names_and_classes_that_the_pack_lacks(at_home: Adapt) -> None:
    rows = "a good day,Good\na bad day,NEGATIVE\nall fine,Good\n"
    found = at_home(rows, words={"good": "positive"})
    assert found.counts == {"positive": 2, "negative": 1}
    assert found.words == {"Good": "positive", "NEGATIVE": "negative"}
    with pytest.raises(DataError, check=coded("unknown-class")) as caught:
        at_home(rows)
    assert "'Good'" in str(caught.value) and "'positive'" in str(caught.value)


def test_texts_that_the_pack_was_made_from_are_left_out(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    write_small_pack(public / "small.zip", source="made up")
    (public / "small.texts").write_bytes(pack_bytes(cases("a", 12)))
    monkeypatch.setattr(pack_files, "PUBLIC", public)
    found = adapt(ws, pack="public:small", data=write_cases(tmp_path / "a.csv", "a", 20))
    assert found.n == 8 and found.source == "public:small"
    assert any(note.startswith("12 of 20 cases") for note in found.notes)
    with pytest.raises(DataError, check=coded("cases-of-the-pack")):
        adapt(ws, pack="public:small", data=write_cases(tmp_path / "b.csv", "a", 12))


def test_what_was_computed_is_kept_when_a_run_is_stopped(ws: Workspace, pack: Path, tmp_path: Path) -> None:
    data, told = write_cases(tmp_path / "a.csv", "a", 16), list[Progress]()
    with pytest.raises(Stopped):
        adapt(
            ws,
            pack=pack,
            data=data,
            report=told.append,
            stop=StopToken(lambda: "cancelled" if any(one.done >= 10 for one in told) else None, every=0.0),
        )
    assert not ws.bank.all_adapted()
    again = adapt(ws, pack=pack, data=data)
    # Two cases that were timed and eight more, with five prompts each.
    assert again.cached == 50
    assert adapt(ws, pack=pack, data=data).tokens == 0


def test_the_time_is_told_as_soon_as_two_cases_were_timed(ws: Workspace, pack: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    adapt(ws, pack=pack, data=write_cases(tmp_path / "a.csv", "a", 16), report=told.append)
    first = next(one for one in told if one.seconds_left is not None)
    assert (first.done, first.total) == (2, 16) and first.seconds_left is not None and first.seconds_left > 0


def test_what_was_measured_elsewhere_is_told_for_as_many_cases_as_were_learnt_from(
    ws: Workspace, tmp_path: Path
) -> None:
    curve = [CurvePoint(n=n, sites=4, alone=0.7, shared=0.69, gain=-0.01, low=-0.04, high=0.02) for n in (0, 4, 16)]
    pack = write_small_pack(tmp_path / "pack.zip", curve=tuple(curve))
    for cases_here, at in ((16, 16), (6, 4)):
        found = adapt(ws, pack=pack, data=write_cases(tmp_path / f"{cases_here}.csv", "a", cases_here))
        assert found.at == next(one for one in curve if one.n == at)
        assert "\N{MINUS SIGN}1.0 points" in found.sentences[-1] and "not significant" in found.sentences[-1]
    one = tmp_path / "one.csv"
    one.write_text("text,answer\nfine,positive\n", encoding="utf-8")
    found = adapt(ws, pack=pack, data=one)  # from one case nothing is learnt, so it is told as none
    assert found.at == curve[0] and "without a labelled case" in found.sentences[-1]


def test_it_is_kept_under_its_name_and_the_newest_counts(at_home: Adapt, ws: Workspace) -> None:
    first = at_home("a good day,positive\na bad day,negative\n")
    second = at_home()
    assert ws.bank.adapted_row("small@home").id == second.adapted != first.adapted
    assert keep_adapted(ws, first.adapted, "two") == "small@two"
    assert ws.bank.adapted_row("small@two").id == first.adapted
    assert {row.name for row in ws.bank.all_adapted()} == {"small@home", "small@two"}


def test_a_name_that_is_none_is_refused_before_anything_is_computed(at_home: Adapt) -> None:
    told: list[Progress] = []
    with pytest.raises(BankError, check=coded("not-a-tag")):
        at_home("a good day,positive\n", name="My Home", report=told.append)
    assert all(one.done == 0 for one in told)


def test_the_study_may_be_named_and_has_to_be_the_packs(ws: Workspace, pack: Path, tmp_path: Path) -> None:
    found = adapt(ws, pack=pack, study=write_study(tmp_path / "s.yaml"))
    assert ws.bank.adapted_row(found.adapted).study == found.digest
    other = tmp_path / "other.yaml"
    other.write_text((tmp_path / "s.yaml").read_text().replace("[positive, negative]", "[positive, neutral]"))
    other.write_text(other.read_text().replace(', words: {positive: " good", negative: " bad"}', ""))
    with pytest.raises(FedPromptError, check=coded("other-classes")):
        adapt(ws, pack=pack, study=other)


def test_no_text_of_a_case_is_in_what_is_told_or_kept(at_home: Adapt, ws: Workspace) -> None:
    rows = "".join(f"{case.fields['text']},{case.answer}\n" for case in cases("secretive", 16))
    found = at_home(rows)
    assert "secretive" not in json.dumps(as_json(found)) + json.dumps(dict(ws.bank.adapted_row(found.adapted).about))


def test_the_command_prints_one_object_and_a_newcomers_mistakes_have_codes(
    tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, data = str(tmp_path / "home"), write_cases(tmp_path / "a.csv", "a", 16)
    asked = ["adapt", "--pack", str(pack), "--data", str(data), "--no-show", "--home", home]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "small@home" and found["n"] == 16 and len(found["members"]) == 5
    assert main(asked) == 0
    assert "small@home" in capsys.readouterr().out
    for more, code in (
        (["--words", "nonsense"], "wrong-use"),
        (["--words", "good=happy"], "unknown-class"),
        (["--data", str(tmp_path / "none.csv")], "cannot-read"),
        (["--name", "Not A Tag"], "not-a-tag"),
        (["--pack", "public:none"], "no-such-pack"),
    ):
        assert main([*asked, *more, "--json"]) != 0
        assert json.loads(capsys.readouterr().out)["code"] == code
