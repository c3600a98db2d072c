"""Commands of hub and site say in a sentence what is missing, and what is wrong use is called so."""

from pathlib import Path

import pytest

from fedprompt.cli.main import main


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hub", "status"], "'fedprompt hub init NAME'"),
        (["hub", "invite", "ant"], "'fedprompt hub init NAME'"),
        (["site", "status"], "'fedprompt site init INVITE'"),
        (["site", "ledger", "--verify"], "'fedprompt site init INVITE'"),
        (["site", "run", "--data", "none.csv"], "'fedprompt site init INVITE'"),
    ],
)
def test_what_is_missing_is_said_and_how_to_make_it(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--home", str(tmp_path)]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--transport", "pigeon", "--site", "a=a.csv"],
        ["--transport", "flare", "--site", "a=a.csv"],
        ["--transport", "flare", "--map", "text=note"],
        ["--transport", "flare", "--cache-bytes", "1000"],
        ["--transport", "flare", "--cache-dtype", "bfloat16"],
        ["--cache-dtype", "int4", "--site", "a=a.csv"],
    ],
)
def test_a_transport_that_is_none_or_a_sites_own_choices_over_flare_are_wrong_use(
    words: list[str], tmp_path: Path
) -> None:
    assert main(["federate", "-S", "study.yaml", *words, "--home", str(tmp_path)]) == 2


def test_a_federation_over_flare_needs_a_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["federate", "-S", "study.yaml", "--transport", "flare", "--home", str(tmp_path)]) == 1
    assert "at least two sites, but has 0" in capsys.readouterr().err


def test_policy_is_changed_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from fedprompt.site.folder import SiteFolder
    from fedprompt.workspace.json_file import write_json

    SiteFolder(tmp_path / "sites" / "ant").prepare()
    write_json(tmp_path / "sites" / "ant" / "site.json", {"site": "ant"})
    words = ["site", "policy", "--verbs", "score, describe", "--quiet-hours", "22:00-06:00", "--home", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "verbs: score, describe" in said and "quiet_hours: 22:00-06:00" in said
    assert main(["site", "policy", "--quiet-hours", "none", "--home", str(tmp_path)]) == 0
    assert "quiet_hours: None" in capsys.readouterr().out


def test_what_was_seen_of_ledgers_is_listed_and_a_new_beginning_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fedprompt.workspace.enrolled.seen_ledgers import LOCAL, SeenLedgers
    from fedprompt.workspace.home import find_home

    here = ["--home", str(tmp_path)]
    assert main(["hub", "sites", *here]) == 0
    assert "ledger" in capsys.readouterr().out
    SeenLedgers(find_home(tmp_path), LOCAL).saw("ant", "ab" * 32)
    assert main(["hub", "sites", "ant", *here]) == 0
    assert "abababababababab" in capsys.readouterr().out
    assert main(["hub", "sites", "ant", "--ledger-restarted", *here]) == 0
    said = capsys.readouterr().out
    assert "restarted" in said and "'ant'" in said and "abababababababab" in said
    assert main(["hub", "sites", "bee", *here]) == 1
    assert "'bee'" in capsys.readouterr().err
