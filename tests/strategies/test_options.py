"""A study's strategy has closed options with defaults, and a quorum that it can live with."""

import pytest
from pydantic import ValidationError

from fedprompt.errors import StudyError
from fedprompt.strategies.registry import strategy_named, strategy_names
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Rounds, Strategy
from fedprompt.study.strategies import filled_options, least_sites
from tests.coded import coded

SHORT = 'study: s\nfields: [text]\nanswer: {type: choice, labels: [a, b]}\ntemplates: [{name: t, text: "{text}:"}]\n'


@pytest.mark.parametrize("name", strategy_names())
def test_defaults_are_filled_in_and_are_allowed(name: str) -> None:
    found = Strategy(name=name).options
    assert set(found) == set(strategy_named(name).options.model_fields)
    assert Strategy(name=name, options=found).options == found


def test_an_option_written_out_is_the_default_left_out() -> None:
    short = parse_study(SHORT + "rounds: {strategy: {name: multi-krum}}")
    long = parse_study(SHORT + "rounds: {strategy: {name: multi-krum, options: {liars: 1, keep: 0}}}")
    assert short.digest("m") == long.digest("m")
    other = parse_study(SHORT + "rounds: {strategy: {name: multi-krum, options: {liars: 2}}}")
    assert other.digest("m") != short.digest("m")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("fedavg", {"mu": 0.1}, "fedavg has no option 'mu'; its options: none"),
        ("fedprox", {"mu": -1}, "fedprox's option 'mu'"),
        ("fedavgm", {"momentum": 1.0}, "option 'momentum'"),
        ("multi-krum", {"liars": 1.5}, "option 'liars'"),
        ("multi-krum", {"liar": 1}, "its options: liars, keep"),
        ("fedadam", {"tau": 0}, "option 'tau'"),
    ],
)
def test_options_that_are_none_or_out_of_bounds_are_refused(name: str, options: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Strategy(name=name, options=options)


def test_a_strategy_that_there_is_not_is_refused_with_its_line_and_the_nearest_name() -> None:
    with pytest.raises(StudyError, match=r"line 5, rounds\.strategy.*'fedag'.*'fedavg'", check=coded("does-not-fit")):
        parse_study(SHORT + "rounds: {strategy: {name: fedag}}")
    with pytest.raises(ValueError, match=r"unknown strategy 'zzz'$"):
        filled_options("zzz", {})
    with pytest.raises(ValueError, match="unknown strategy"):
        least_sites("zzz", {})


def test_a_quorum_below_what_the_strategy_needs_is_refused_with_line_and_reason() -> None:
    Rounds(quorum=5, strategy=Strategy(name="multi-krum"))
    with pytest.raises(StudyError, match=r"line 5, rounds: .*'multi-krum'.*5.*4", check=coded("does-not-fit")):
        parse_study(SHORT + "rounds: {quorum: 4, strategy: {name: multi-krum}}")


def test_a_slow_site_may_not_take_more_steps_than_a_fast_one() -> None:
    parse_study(SHORT + "tuning: {steps: 4}\nrounds: {least_steps: 4}")
    with pytest.raises(StudyError, match=r"line 6, rounds\.least_steps.*tuning\.steps", check=coded("does-not-fit")):
        parse_study(SHORT + "tuning: {steps: 4}\nrounds: {least_steps: 5}")


def test_a_study_for_one_site_needs_no_others() -> None:
    study = parse_study(SHORT + "rounds: {quorum: 5, update: int8, strategy: {name: multi-krum}}")
    alone = study.alone().rounds
    assert alone.strategy.name == "fedavg" and alone.quorum is None and alone.update == "int8"


@pytest.mark.parametrize(
    ("rounds", "code", "names"),
    [
        ("{groups: {}}", "does-not-fit", "rounds.groups"),
        ("{personal: {}}", "does-not-fit", "rounds.personal"),
        ("{groups: {most: 1}}", "not-well-formed", "rounds.groups.most"),
        ("{personal: {mixtures: [1.0]}}", "not-well-formed", "rounds.personal.mixtures"),
        ("{personal: {mixtures: [0.5, 0.5]}}", "does-not-fit", "rounds.personal"),
    ],
)
def test_groups_and_choices_that_cannot_be_are_refused_with_their_place(rounds: str, code: str, names: str) -> None:
    with pytest.raises(StudyError, check=coded(code, names=names)):
        parse_study(SHORT + f"rounds: {rounds}")


SOFT = SHORT + 'soft: {template: "{text}{soft}:", init: "a"}\n'


def test_groups_are_as_large_as_the_strategy_needs_and_templates_enough_to_tell() -> None:
    with pytest.raises(StudyError, match=r"'trimmed-mean' .*\b3\b.*\b2\b", check=coded("does-not-fit")):
        parse_study(SOFT + "rounds: {groups: {}, strategy: {name: trimmed-mean}}")
    with pytest.raises(StudyError, match=r"\b3\b.*\b1\b", check=coded("does-not-fit")):
        parse_study(SOFT + "rounds: {groups: {by: templates}}")
    found = parse_study(SOFT + "rounds: {count: 4, groups: {rounds: 3}}").rounds
    assert found.total == 7 and found.model_dump(mode="json")["groups"]["by"] == "updates"


def test_a_study_that_asks_for_none_of_this_has_the_digest_that_it_had() -> None:
    assert not {"groups", "personal", "keep_updates"} & set(parse_study(SOFT).model_dump(mode="json")["rounds"])
    assert parse_study(SOFT + "rounds: {keep_updates: true}").digest("m") != parse_study(SOFT).digest("m")
    assert parse_study(SOFT + "rounds: {personal: {}}").digest("m") != parse_study(SOFT).digest("m")
