"""What a pack says of a federation is what the bank holds of it, and no more than its study lets out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt.adapting.given_weights import HEAD
from fedprompt.adapting.settings import DEFAULT_SETTINGS, AtN, Settings
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Study
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.exchange.pack_schema import Member
from fedprompt.workspace.hub.made_pack import MadePack, make_pack
from fedprompt.workspace.results.worth import CurvePoint, WorthResult
from fedprompt.workspace.rounds.gathering_heads import packed
from fedprompt.workspace.workspace import Workspace
from tests.hashed_encoder import EXAMPLES
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, study
from tests.small_pack import small_head
from tests.ten_cases import score_of

SITES = ("ant", "bee", "cat", "dog")
COUNTS = {"ant": (8, 2), "bee": (5, 5), "cat": (2, 8), "dog": (6, 2)}
POINT = CurvePoint(n=16, sites=4, alone=0.6, shared=0.7, gain=0.1, low=0.0, high=0.2, worst=-0.05, needed=64)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with new_workspace(tmp_path / "home") as opened:
        yield opened


def tuned(chosen: Study, number: float) -> Prompt:
    vectors = np.full((3, MODEL.info.width), number, np.float32)
    return Prompt(chosen.soft_template(), SoftPrompt(vectors, MODEL.info.digest))


def made(ws: Workspace, chosen: Study, left: tuple[str, ...] = (), **result: Any) -> MadePack:
    """Return the pack of a run with hand-made scores: the common prompt, a group's of three, and each site's own."""
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    first, second, _ = (Prompt(template) for template in chosen.candidates())
    common, grouped = tuned(chosen, 0.1), tuned(chosen, 0.2)
    alone = {site: tuned(chosen, 1.0 + place) for place, site in enumerate(SITES)}
    ws.bank.record_prompts([(one, {}) for one in (common, grouped, *alone.values())], study=digest, origin="federated")
    ws.bank.start_run("r", kind="federate", study=digest, settings={})
    labels = chosen.answer.labels
    described = {site: {"labels": dict(zip(labels, COUNTS[site], strict=True))} for site in SITES}
    ws.bank.record_stage("r", "sites", described)
    for place, site in enumerate(SITES):
        ws.bank.record_scores("r", site, [score_of(first.id, 5), score_of(second.id, 6 + place % 2)])
        ws.bank.record_scores("r", site, [score_of(common.id, 8)], round=2)
        ws.bank.start_run(f"r/alone/{site}", kind="alone", study=digest, settings={})
        ws.bank.record_scores(f"r/alone/{site}", site, [score_of(alone[site].id, 9)], round=2)
    ws.bank.start_run("r/group/1", kind="group", study=digest, settings={})
    for site in SITES[:3]:
        ws.bank.record_scores("r/group/1", site, [score_of(grouped.id, 7)], round=3)
    groups = [
        {"group": 1, "sites": list(SITES[:3]), "prompt": grouped.id, "round": 3},
        {"group": 2, "sites": ["dog"], "prompt": alone["dog"].id, "round": 3},
    ]
    body = {
        "prompts": {"manual": first.id, "federated": common.id, "alone": {s: p.id for s, p in alone.items()}},
        "groups": {"groups": groups},
        **result,
    }
    ws.bank.finish_run("r", body)
    found = make_pack(ws, ws.bank.run("r"), ws.bank.study(digest), left)
    assert found is not None
    return found


def by_kind(found: MadePack, kind: str) -> list[Member]:
    return [member for member in found.pack.members if member.kind == kind]


def test_templates_come_with_their_gain_over_the_first_and_how_it_varies(ws: Workspace) -> None:
    found = made(ws, study())
    first, second = by_kind(found, "template")  # the third shows a site's own demonstrations
    assert (first.mean, first.between) == (0.0, 0.0)
    # Gains of 1, 2, 1 and 2 of ten cases, all of one weight.
    assert second.mean == pytest.approx(0.15)
    # Four sites leave open how much a further one differs: not nothing, and less than 20 points.
    assert second.between is not None and 0 < second.between < 0.2**2
    # Ten cases at each site, of variance 0.25 under the first, 0.24 and 0.21 under the second, as if unpaired: 19 in
    # all, half a discordant case more, over 40 - 4 + 1.
    assert second.within == pytest.approx(19.5 / 37)
    assert second.sites == 4 and found.donors == SITES


def test_weights_are_those_that_worth_measures_with(ws: Workspace) -> None:
    found = made(ws, study())
    assert found.pack.weights == pytest.approx((0.05, 0.05, 0.45, 0.45))
    (common,), (group,) = by_kind(found, "federated"), by_kind(found, "group")
    assert (common.sites, group.sites) == (4, 3) and common.mean == pytest.approx(0.3)
    assert found.pack.shares == pytest.approx(((0.8 + 0.5 + 0.2 + 0.75) / 4, (0.2 + 0.5 + 0.8 + 0.25) / 4))


def test_a_group_of_fewer_than_three_donors_is_left_out(ws: Workspace) -> None:
    found = made(ws, study(), left=("cat",))
    assert by_kind(found, "group") == [] and found.donors == ("ant", "bee", "dog")
    assert found.pack.donors == 3


@pytest.mark.parametrize(("released", "shared"), [(False, []), (True, ["ant", "bee", "cat"])])
def test_a_donors_own_prompt_is_shared_only_where_the_study_says_so_and_while_it_takes_part(
    ws: Workspace, released: bool, shared: list[str]
) -> None:
    chosen = study(rounds={"alone": True, "released": released})
    own = by_kind(made(ws, chosen, left=("dog",)), "donor")
    # In the order of their ids: that of the sites' names would tell whose each is.
    assert [one.prompt for one in own] == sorted(tuned(chosen, 1.0 + SITES.index(site)).id for site in shared)


@pytest.mark.parametrize("scores", ["hub", "sites"])
def test_what_one_site_scores_is_told_only_where_the_study_says_so(ws: Workspace, scores: str) -> None:
    lonely = POINT.model_copy(update={"n": 32, "sites": 1, "low": None, "high": None})  # one site's own two scores
    worth = as_json(WorthResult((POINT, lonely), Settings(at=(AtN(n=16, pull=3.0),)), (), (), ()))
    chosen = study(rounds={"alone": True, "released": True}, privacy={"scores": scores})
    found = made(ws, chosen, left=("dog",), worth=worth)
    own = by_kind(found, "donor")
    told = None if scores == "hub" else pytest.approx(0.4)
    assert [(one.sites, one.mean) for one in own] == [(1, told)] * 3
    told_of = (POINT.model_copy(update={"worst": None}),) if scores == "hub" else (POINT, lonely)
    assert found.pack.curve == told_of
    assert found.pack.settings.for_n(16).pull == 3.0 != DEFAULT_SETTINGS.for_n(16).pull
    assert not any(site in json.dumps(found.pack.model_dump(mode="json")) for site in SITES)


@pytest.mark.parametrize(("left", "sites"), [((), 4), (("dog",), 3), (("cat", "dog"), None)])
def test_a_pack_holds_the_mean_head_of_those_who_take_part_where_they_are_three_or_more(
    ws: Workspace, left: tuple[str, ...], sites: int | None
) -> None:
    chosen = study(head={"examples": EXAMPLES, "directions": 3})
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    ws.bank.start_run("r", kind="federate", study=digest, settings={})
    ws.bank.record_stage("r", "head directions", packed(small_head().directions))
    for place, site in enumerate(SITES):
        ws.bank.record_stage("r", f"head of {site}", packed(small_head(place).weights))
    found = made(ws, chosen, left)
    if sites is None:
        assert found.pack.head is None and len(found.notes) == 2
        return
    assert found.pack.head is not None and found.pack.head.sites == sites
    # Of 0, 1, 2 and 3 times the small head.
    assert found.pack.head.made == small_head((sites - 1) / 2)
    assert found.pack.weights[-1] == HEAD and sum(found.pack.weights) == pytest.approx(1)


def test_two_donors_are_told_neither_how_they_differ_nor_the_labels_shares(ws: Workspace) -> None:
    found = made(ws, study(), left=("cat", "dog"))
    assert all(member.between is None for member in found.pack.members[1:]) and found.pack.shares is None


def test_rounds_that_were_told_again_without_a_site_give_the_common_prompt(ws: Workspace) -> None:
    chosen = study()
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    again = tuned(chosen, 0.3)
    ws.bank.record_prompt(again, study=digest, origin="recomputed")
    ws.bank.start_run("r/without/dog", kind="recomputed", study=digest, settings={})
    ws.bank.finish_run("r/without/dog", {"prompt": again.id})
    found = made(ws, chosen, left=("dog",))
    assert [one.prompt for one in by_kind(found, "federated")] == [again.id] and found.notes == ()


def test_a_common_prompt_that_holds_what_a_site_gave_that_left_is_told(ws: Workspace) -> None:
    found = made(ws, study(), left=("dog",))
    assert [one.prompt for one in by_kind(found, "federated")] == [tuned(study(), 0.1).id]
    assert len(found.notes) == 1 and "dog" in found.notes[0]


def test_a_run_that_tuned_nothing_and_one_that_nobody_else_could_ask_give_no_pack(ws: Workspace) -> None:
    chosen = study()
    digest = chosen.digest(MODEL.info.digest)
    ws.bank.record_study(chosen, digest, MODEL.info.digest)
    ws.bank.start_run("s", kind="federate", study=digest, settings={})
    ws.bank.finish_run("s", {"prompts": {"manual": "p1:" + "0" * 32}})
    assert make_pack(ws, ws.bank.run("s"), ws.bank.study(digest), ()) is None
