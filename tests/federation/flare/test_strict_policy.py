"""A kit's local files are stricter than the engine's defaults, and only its owner reads them."""

import json
from pathlib import Path

import pytest

from fedprompt.federation.transports.flare.strict_policy import restrict


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """Return a kit with the parts of the engine's defaults that matter here."""
    local = tmp_path / "kit" / "local"
    local.mkdir(parents=True)
    resources = {
        "class_allow_list": ["nvflare.app_common.np.np_trainer.NPTrainer"],
        "servers": [{"heart_beat_timeout": 600}],
        "snapshot_persistor": {"args": {"storage": {"args": {"root_dir": "/tmp/nvflare/snapshot-storage"}}}},
        "components": [
            {"id": "process_launcher", "path": "nvflare.app_common.job_launcher.x.Launcher", "args": {}},
            {"id": "site_log_streamer", "args": {}},
            {"id": "log_receiver", "args": {}},
            {"id": "job_manager", "args": {"uri_root": "/tmp/nvflare/jobs-storage"}},
        ],
    }
    (local / "resources.json.default").write_text(json.dumps(resources))
    (local / "authorization.json.default").write_text(
        json.dumps({"format_version": "1.0", "permissions": {"lead": {}}})
    )
    (tmp_path / "kit" / "startup").mkdir()
    (tmp_path / "kit" / "startup" / "client.key").write_text("secret")
    return tmp_path / "kit"


def read(kit: Path, name: str) -> dict:
    return json.loads((kit / "local" / name).read_text())


def test_a_site_runs_one_class_streams_no_log_and_filters_every_result(kit: Path) -> None:
    restrict(kit, "client", {"name": "ant", "org": "ant"})
    resources = read(kit, "resources.json")
    assert resources["class_allow_list"] == ["fedprompt.federation.transports.flare.site_side.Relay"]
    assert resources["allow_log_streaming"] is False
    assert "site_log_streamer" not in {component["id"] for component in resources["components"]}
    (scope,) = read(kit, "privacy.json")["scopes"]
    assert [f["path"].rsplit(".", 1)[1] for f in scope["task_result_filters"]] == ["EgressFilter"]
    lead = read(kit, "authorization.json")["permissions"]["lead"]
    assert {name: lead[name] for name in ("byoc", "operate", "shell_commands", "app_command")} == dict.fromkeys(
        ("byoc", "operate", "shell_commands", "app_command"), "none"
    )


@pytest.mark.parametrize(("kind", "name"), [("client", "ClientLauncher"), ("server", "ServerLauncher")])
def test_jobs_are_started_by_a_launcher_that_ties_them_to_the_engine(kit: Path, kind: str, name: str) -> None:
    restrict(kit, kind, {"name": "ant", "org": "ant"})
    (launcher,) = (c for c in read(kit, "resources.json")["components"] if c["id"] == "process_launcher")
    assert launcher["path"] == f"fedprompt.federation.transports.flare.job.{name}"


def test_a_hub_keeps_nothing_in_a_folder_that_all_users_share(kit: Path) -> None:
    restrict(kit, "server", {"name": "localhost", "org": "hub"})
    assert "/tmp/nvflare" not in (kit / "local" / "resources.json").read_text()
    assert read(kit, "resources.json")["servers"][0]["heart_beat_timeout"] == 70
    assert read(kit, "authorization.json")["permissions"]["project_admin"] == "none"


def test_nobody_but_its_owner_reads_a_kit(kit: Path) -> None:
    restrict(kit, "client", {"name": "ant", "org": "ant"})
    assert all(path.stat().st_mode & 0o077 == 0 for path in (kit, *kit.rglob("*")))
