"""A command that installs a part names packages that an index has, in the versions that this installation asks for."""

from fedprompt.extras import PARTS, is_installed, packages_of, pip_command


def test_every_part_names_its_packages_and_never_fedprompt_itself() -> None:
    for part in PARTS:
        assert packages_of(part) and "fedprompt" not in pip_command(part)
        assert is_installed(part)  # the tests' own environment has all of them
    assert any(one.startswith("langchain-openai") and "<2" in one for one in packages_of("chat"))
