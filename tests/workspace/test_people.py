"""A role comes from a claim or a verified address that the rules name, and from nothing else."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedprompt.errors import FedPromptError
from fedprompt.workspace.home import Home
from fedprompt.workspace.people import DEEDS, ROLES, Person, Rules, is_fresh, machine_person, person_of, read_rules
from tests.coded import coded

RULES = Rules.model_validate(
    {
        "claim": "realm.roles",
        "operator": ["fed-operators"],
        "engineer": ["fed-engineers"],
        "emails": {"operator": ["Ada@Example.org"], "engineer": ["@example.org"]},
    }
)
BOB = {"iss": "https://id.example.org", "sub": "7", "name": "Bob"}


def role(rules: Rules = RULES, **claims: Any) -> str:
    return person_of({**BOB, **claims}, rules).role


def write(folder: Path, text: str, mode: int = 0o600) -> Home:
    path = folder / "people.toml"
    path.write_text(text)
    path.chmod(mode)
    return Home(folder)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, "viewer"),
        ({"realm": {"roles": ["other", "fed-operators"]}}, "operator"),
        ({"realm": {"roles": "fed-engineers"}}, "engineer"),
        ({"realm.roles": ["fed-engineers"]}, "engineer"),
        ({"realm": {"roles": ["fed-engineers", "fed-operators"]}}, "operator"),
        ({"realm": {"roles": [["fed-operators"]]}}, "viewer"),
        ({"realm": "fed-operators"}, "viewer"),
        ({"roles": ["fed-operators"]}, "viewer"),
        ({"realm": {"roles": ["Fed-Operators", "fed-operators "]}}, "viewer"),
        ({"email": "ada@example.ORG", "email_verified": True}, "operator"),
        ({"email": "ada@example.org", "email_verified": "true"}, "operator"),
        ({"email": "ada@example.org"}, "viewer"),
        ({"email": "ada@example.org", "email_verified": False}, "viewer"),
        ({"email": "ada@example.org", "email_verified": 1.5}, "viewer"),
        ({"email": "eve@example.org", "email_verified": True}, "engineer"),
        ({"email": "eve@example.org.evil.com", "email_verified": True}, "viewer"),
        ({"email": "example.org", "email_verified": True}, "viewer"),
        ({"sub": "", "realm": {"roles": ["fed-operators"]}}, "nobody"),
        ({"sub": None}, "nobody"),
        ({"role": "operator"}, "viewer"),
    ],
)
def test_a_role_is_what_the_rules_name_for_the_claims(claims: dict[str, Any], expected: str) -> None:
    assert role(**claims) == expected


def test_whoever_is_not_listed_is_a_viewer_or_nobody_as_the_rules_say() -> None:
    assert role(Rules()) == "viewer"
    shut = Rules.model_validate({"others": "nobody", "claim": "groups", "viewer": ["staff"]})
    assert role(shut) == "nobody"
    assert role(shut, groups=["staff"]) == "viewer"


NAMED = {"realm", "realm.roles", "email", "email_verified", "sub", "iss"}
texts = st.sampled_from(["fed-operators", "fed-engineers", "operator", "ada@example.org", "true", "7", ""]) | st.text()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("roles"), inner, max_size=3),
    max_leaves=6,
)
anything = st.dictionaries(st.sampled_from(sorted(NAMED | {"role", "roles", "groups", "name"})) | texts, values)


@given(anything, anything)
def test_claims_that_no_rule_names_never_change_a_role(claims: dict[str, Any], more: dict[str, Any]) -> None:
    unknown = {key: value for key, value in more.items() if key not in NAMED}
    assert person_of({**claims, **unknown}, RULES).role == person_of(claims, RULES).role


@given(anything, st.data())
def test_a_missing_claim_never_raises_a_role(claims: dict[str, Any], data: st.DataObject) -> None:
    fewer = {key: value for key, value in claims.items() if data.draw(st.booleans())}
    assert ROLES.index(person_of(fewer, RULES).role) <= ROLES.index(person_of(claims, RULES).role)


@given(anything)
def test_without_rules_nobody_is_more_than_a_viewer(claims: dict[str, Any]) -> None:
    assert person_of(claims, Rules()).role in ("nobody", "viewer")


def test_each_role_may_do_what_is_its_own_and_what_those_below_it_may() -> None:
    may = {one: [deed for deed in DEEDS if Person("x", "", "x", one).why_not(deed) is None] for one in ROLES}
    assert may == {
        "nobody": [],
        "viewer": [],
        "engineer": ["try", "tune", "tag", "exchange"],
        "operator": ["try", "tune", "tag", "exchange", "production", "retire", "federate", "publish"],
    }


def test_a_deed_above_the_role_is_refused_with_the_role_it_needs() -> None:
    with pytest.raises(FedPromptError, match=r"operator.*engineer", check=coded("not-allowed")):
        Person("Bob", "", "x", "engineer").require("retire")
    Person("Bob", "", "x", "operator").require("retire")


def test_the_user_of_a_machine_without_sign_in_is_its_operator() -> None:
    one = machine_person()
    assert (one.role, one.subject, one.mark) == ("operator", "", "")


def test_people_are_told_apart_by_issuer_and_subject_and_named_by_what_was_verified() -> None:
    ada = person_of({**BOB, "name": "Ada <root>\n", "email": "ada@a.org", "email_verified": True}, RULES)
    assert ada.label == "Ada  root <ada@a.org>"
    unsure = person_of({**BOB, "email": "ada@a.org"}, RULES)
    assert unsure.email == ""
    assert unsure.label == f"Bob ({unsure.mark[:8]})"
    assert unsure.mark == ada.mark
    assert person_of({**BOB, "iss": "https://other.example.org"}, RULES).mark != ada.mark
    assert len({person_of({"iss": a, "sub": b}, RULES).subject for a, b in (("x", "y z"), ("x y", "z"))}) == 2


@pytest.mark.parametrize(
    ("issued", "fresh"),
    [(1000, True), (1000 - 12 * 3600 + 1, True), (1000 - 12 * 3600, False), (1299, True), (2000, False)]
    + [(odd, False) for odd in (None, True, "1000", float("nan"))],
)
def test_a_sign_in_counts_for_twelve_hours_and_one_without_a_time_not_at_all(issued: object, fresh: bool) -> None:
    assert is_fresh({"iat": issued}, Rules(), 1000) is fresh


def test_without_a_file_whoever_signs_in_is_a_viewer(tmp_path: Path) -> None:
    assert read_rules(Home(tmp_path)) == Rules()


def test_rules_are_read_from_the_home(tmp_path: Path) -> None:
    home = write(tmp_path, 'claim = "groups"\noperator = ["a"]\nhours = 2\n[emails]\nviewer = ["@B.org"]\n')
    rules = read_rules(home)
    assert (rules.claim, rules.operator, rules.hours, rules.emails.viewer) == ("groups", ("a",), 2, ("@b.org",))


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("operators = ['a']", "not-well-formed", "operators"),
        ("operator = ['a']", "not-well-formed", ""),
        ("claim = 'email'", "not-well-formed", "email"),
        ("claim = 'preferred_username'", "not-well-formed", ""),
        ("others = 'operator'", "not-well-formed", "others"),
        ("hours = 0", "not-well-formed", "hours"),
        ("[emails]\noperator = ['ada']", "not-well-formed", "emails.operator"),
        ("claim = 'g'\noperator = ['']", "not-well-formed", "operator.0"),
        ("operator = [", "not-toml", ""),
        ("x = '" + "y" * 300_000 + "'", "too-large", ""),
    ],
)
def test_rules_that_say_something_odd_are_refused_with_their_place(
    tmp_path: Path, text: str, code: str, names: str
) -> None:
    with pytest.raises(FedPromptError, check=coded(code, names=names)):
        read_rules(write(tmp_path, text))


def test_rules_that_others_may_write_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FedPromptError, check=coded("others-can-write")):
        read_rules(write(tmp_path, "", 0o622))
