"""Versions one minor apart work together; further apart the older side upgrades."""

import pytest

from fedprompt.study.versions import misfit


@pytest.mark.parametrize(("hub", "site"), [("0.1.0", "0.1.9"), ("0.2.0", "0.1.0"), ("1.4", "1.5.0rc1")])
def test_one_minor_apart_works(hub: str, site: str) -> None:
    assert misfit(hub, site) is None


@pytest.mark.parametrize(
    ("hub", "site", "older", "wanted"),
    [("0.3.0", "0.1.5", "site", "0.3.0"), ("0.1.0", "0.3.2", "hub", "0.3.2"), ("1.0.0", "0.9.0", "site", "1.0.0")],
)
def test_further_apart_the_older_one_upgrades(hub: str, site: str, older: str, wanted: str) -> None:
    told = misfit(hub, site)
    assert told is not None and f"upgrade the {older}" in told and f"=={wanted}" in told


@pytest.mark.parametrize("version", ["", "one", "1", "1.x", "0.1.0; rm"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(ValueError, match="version"):
        misfit("0.1.0", version)
