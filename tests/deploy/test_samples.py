"""The samples of deploy/ can be parsed, and name only settings, commands and paths that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml

from api.cli import main
from api.settings import SETTINGS_FILE_VARIABLE, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"NOCISCREEN_{name.upper()}" for name in Settings.model_fields}
KINDS = {
    "ConfigMap": "v1", "Service": "v1", "PersistentVolumeClaim": "v1", "Job": "batch/v1",
    "CronJob": "batch/v1", "Deployment": "apps/v1", "Ingress": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
}  # fmt: skip


def list_files():
    return [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]


def test_every_setting_that_a_sample_names_exists():
    names = {
        name
        for path in list_files()
        for name in re.findall(r"NOCISCREEN_[A-Z_]+", path.read_text())
    }
    assert len(names) > 5
    assert names <= SETTINGS | {SETTINGS_FILE_VARIABLE}


def require_command(words):
    """Fail unless the words are a command of nociscreen with options that it has."""
    command = typer.main.get_command(main)
    words = list(words)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


class TestCompose:
    def test_our_services_run_commands_that_exist_without_privileges(self, compose):
        own = {name: s for name, s in compose["services"].items() if s["image"] == "nociscreen"}
        assert own.keys() == {"migrate", "service", "worker"}
        for service in own.values():
            require_command(service["command"])
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert own["worker"]["deploy"]["replicas"] == 2

    def test_what_it_mounts_is_there(self, compose):
        mounts = [
            mount.partition(":")[0]
            for service in compose["services"].values()
            for mount in service.get("volumes", ())
            if mount.startswith("./")
        ]
        assert len(mounts) == 2
        assert all((DEPLOY / mount).is_file() for mount in mounts)
        assert (DEPLOY / compose["services"]["migrate"]["build"]["dockerfile"]).name == "Dockerfile"


@pytest.fixture(scope="module")
def manifests():
    text = (DEPLOY / "kubernetes" / "nociscreen.yaml").read_text()
    return list(yaml.safe_load_all(text))


class TestKubernetes:
    def list_pods(self, manifests):
        for manifest in manifests:
            spec = manifest.get("spec", {})
            spec = spec.get("jobTemplate", {}).get("spec", spec)
            if "template" in spec:
                yield spec["template"]["spec"]

    def test_each_has_the_version_of_its_kind_and_a_name(self, manifests):
        assert len(manifests) == 9
        for manifest in manifests:
            assert manifest["apiVersion"] == KINDS[manifest["kind"]]
            assert manifest["metadata"]["name"].startswith("nociscreen")

    def test_every_container_is_locked_down_and_runs_a_command_that_exists(self, manifests):
        pods = list(self.list_pods(manifests))
        assert len(pods) == 4
        for pod in pods:
            assert pod["securityContext"]["runAsNonRoot"]
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in pod["containers"]:
                context = container["securityContext"]
                assert context["readOnlyRootFilesystem"]
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
                if "command" not in container:
                    require_command(container["args"])

    def test_selectors_match_the_pods(self, manifests):
        for manifest in manifests:
            if manifest["kind"] == "Deployment":
                labels = manifest["spec"]["template"]["metadata"]["labels"]
                assert manifest["spec"]["selector"]["matchLabels"] == labels


class TestSystemd:
    UNITS = sorted((DEPLOY / "systemd").glob("*.service"))

    @pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])
    def test_it_runs_commands_that_exist(self, unit):
        lines = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)
        assert lines
        for line in lines:
            words = re.search(r"nociscreen/bin/nociscreen ([a-z -]+)", line)[1].split()
            require_command(words)

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is missing")
    def test_systemd_finds_no_fault(self, tmp_path):
        program = tmp_path / "nociscreen"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        units = []
        for unit in (DEPLOY / "systemd").iterdir():
            text = unit.read_text().replace("/opt/nociscreen/bin/nociscreen", str(program))
            target = tmp_path / unit.name.replace("@.", "@1.")
            target.write_text(text)
            units.append(target)
        assert len(units) == 4
        process = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *units],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        own = [line for line in process.stderr.splitlines() if str(tmp_path) in line]
        assert own == []


def test_the_image_is_built_of_files_that_exist_and_runs_unprivileged():
    lines = [
        line for line in (DEPLOY / "Dockerfile").read_text().replace("\\\n", "").splitlines()
        if line and not line.startswith("#")
    ]  # fmt: skip
    words = {line.split()[0] for line in lines}
    assert words <= {
        "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK",
        "ENTRYPOINT", "CMD",
    }  # fmt: skip
    sources = [
        source
        for line in lines
        if line.startswith("COPY") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert {"api", "scoring", "reports", "schemas", "requirements.lock"} <= set(sources)
    assert all((ROOT / source).exists() for source in sources)
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert sum(line.startswith("FROM") for line in lines) == 2
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{source}" for source in sources} <= set(ignored)
    require_command(yaml.safe_load(lines[-1].removeprefix("CMD ")))


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_a_proxy_hides_the_metrics_and_its_blocks_are_closed(name):
    text = (DEPLOY / "proxies" / name).read_text()
    assert "/metrics" in text
    assert "404" in text
    assert text.count("{") == text.count("}")
