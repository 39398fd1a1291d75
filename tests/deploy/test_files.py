"""What stands in deploy/ parses, and agrees with the settings, the commands and `make setup`."""

import json
import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer
import yaml
from sqlalchemy import make_url
from support.commands import run_command

from api.cli import main
from api.settings import Settings, list_unknown_variables

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(file for file in DEPLOY.rglob("*") if file.is_file() and "secrets" not in file.parts)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
NGINX = (DEPLOY / "proxy" / "nginx.conf").read_text()
CADDY = (DEPLOY / "proxy" / "Caddyfile").read_text()
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
OBJECTS = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text())
]
PODS = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]
    for document in OBJECTS
    if document["kind"] == "Deployment"
}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
HARDENING = DEPLOY / "systemd" / "nociscreen-.service.d" / "hardening.conf"


def list_instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


INSTRUCTIONS = list_instructions(DOCKERFILE)


def read_unit(file: Path) -> ConfigParser:
    unit = ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str
    unit.read_string(file.read_text())
    return unit


def find_instruction(name: str) -> str:
    """Return the arguments of the last instruction of this name."""
    return [arguments for instruction, arguments in INSTRUCTIONS if instruction == name][-1]


def list_command_lines() -> list[list[str]]:
    """Return what is run after the word nociscreen, wherever deploy/ runs it."""
    services = COMPOSE["services"].values()
    notes = re.findall(r"^#.* exec service nociscreen (.+)$", COMPOSE_TEXT, re.MULTILINE)
    starts = [read_unit(unit)["Service"]["ExecStart"] for unit in UNITS]
    commands = [re.search(r"/nociscreen ([^$\"]+)", start)[1] for start in starts]
    return [
        json.loads(find_instruction("CMD")),
        *(service["command"] for service in services if "command" in service),
        *(pod["containers"][0]["args"] for pod in PODS.values()),
        *(words.split() for words in notes),
        *(words.replace("%i", "o-1").split() for words in commands if words.split() != ["backup"]),
        ["backup", "backups/x.db"],
    ]


def parse(command, words: list[str]) -> None:
    """Parse the words of a command without running it; raises if they cannot be."""
    if hasattr(command, "commands"):
        parse(command.commands[words[0]], words[1:])
    else:
        command.make_context(words[0] if words else "", [*words])


@pytest.mark.parametrize("words", list_command_lines(), ids=" ".join)
def test_each_command_parses(words):
    parse(typer.main.get_command(main), words)


def test_each_kind_of_process_is_started_somewhere():
    first_words = [words[0] for words in list_command_lines()]
    assert set(first_words) == {"admin", "backup", "mllp", "serve", "upkeep", "worker"}


def test_each_setting_named_exists():
    texts = {file: file.read_text() for file in FILES}
    names = {name for text in texts.values() for name in re.findall(r"NOCISCREEN_[A-Z_]*", text)}
    assert len(names) > 8
    assert list(list_unknown_variables(names)) == []
    example = next(item for item in OBJECTS if item["kind"] == "Secret")["stringData"]
    assert set(tomllib.loads(example["nociscreen.toml"])) <= set(Settings.model_fields)


def test_no_secret_stands_in_a_variable():
    pods = [pod["containers"][0]["env"] for pod in PODS.values()]
    variables = [
        name for service in COMPOSE["services"].values() for name in service.get("environment", ())
    ]
    variables += [variable["name"] for pod in pods for variable in pod]
    secrets = [name for name in variables if re.search("PASSWORD|SECRET|KEY|DATABASE_URL", name)]
    assert secrets
    assert [name for name in secrets if not name.endswith("_FILE")] == []


def test_images_have_a_name_and_a_version_and_ours_is_this_release():
    images = [service["image"] for service in COMPOSE["services"].values()]
    images += [pod["containers"][0]["image"] for pod in PODS.values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert [image for image in images if not re.fullmatch(r"[a-z./]+:v?\d[\w.-]*", image)] == []
    assert {image for image in images if "/" not in image} == {f"nociscreen:{version}"}


def test_the_port_is_the_same_everywhere():
    port = find_instruction("EXPOSE")
    container = PODS["nociscreen"]["containers"][0]
    assert [item["containerPort"] for item in container["ports"]] == [int(port)]
    for words in (json.loads(find_instruction("CMD")), container["args"]):
        assert words[words.index("--port") + 1] == port
    assert f"127.0.0.1:{port}/health/live" in find_instruction("HEALTHCHECK")
    assert f"server 127.0.0.1:{port};" in NGINX
    assert f"127.0.0.1:{port}" in CADDY
    assert COMPOSE["services"]["proxy"]["environment"]["SERVICE_ADDRESS"] == f"service:{port}"
    policy = next(item for item in OBJECTS if item["kind"] == "NetworkPolicy")
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == int(port)


def test_the_image_runs_as_an_unprivileged_user_on_a_read_only_root():
    user = find_instruction("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    for pod in PODS.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(user.partition(":")[0])
        container = pod["containers"][0]["securityContext"]
        assert container["readOnlyRootFilesystem"] is True
        assert container["allowPrivilegeEscalation"] is False
        assert container["capabilities"] == {"drop": ["ALL"]}
    assert f"chown {user} nociscreen.toml key-ring" in (DEPLOY / "create-secrets").read_text()
    for service in COMPOSE["services"].values():
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_every_service_of_compose_has_a_health_check_or_says_that_it_has_none():
    own = {"service"}  # the check of the image
    with_check = {name for name, service in COMPOSE["services"].items() if "healthcheck" in service}
    assert with_check | own == set(COMPOSE["services"])


def test_the_image_is_made_by_the_steps_of_make_setup():
    recipe = re.search(r"^\$\(VENV\)/\.run:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    steps = [line.strip() for line in recipe.splitlines() if "touch" not in line]
    own = [arguments for name, arguments in INSTRUCTIONS if name == "RUN"]
    words = {
        "/opt/nociscreen/bin": "$(BIN)", "/opt/nociscreen": "$(VENV)", "--no-cache-dir ": "",
        "/usr/local/libexec/": "scripts/", " && rm -rf /var/lib/apt/lists/*": "",
        "--no-deps .": "--no-deps --editable .",
    }  # fmt: skip
    for image_word, word in words.items():
        own = [arguments.replace(image_word, word) for arguments in own]
    own = [re.sub("^python3 ", "$(PYTHON) ", arguments) for arguments in own]
    assert len(steps) == 4
    assert [step for step in steps if step not in own] == []
    assert [step.split()[0] for step in own if step not in steps] == ["useradd"]


def test_the_image_copies_every_package_and_nothing_that_docker_ignores():
    sources = {
        source
        for name, arguments in INSTRUCTIONS
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert sources == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert set(wheel) < sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_proxies_keep_health_and_metrics_inside():
    for path in ("/metrics", "/health"):
        assert re.search(rf"location (= |\^~ ){path} {{\s*return 404;", NGINX)
        assert re.search(rf"@operators path .*{path} {path}/\*", CADDY)
    assert "respond @operators 404" in CADDY
    ingress = next(item for item in OBJECTS if item["kind"] == "Ingress")
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    services = {item["metadata"]["name"] for item in OBJECTS if item["kind"] == "Service"}
    forwarded = [p["path"] for p in paths if p["backend"]["service"]["name"] in services]
    assert [path["path"] for path in paths] == ["/metrics", "/health", "/"]
    assert forwarded == ["/"]


def test_a_proxy_takes_a_batch_file_and_names_the_caller_itself():
    megabytes = Settings.model_fields["max_batch_bytes"].default // 1024**2
    assert f"client_max_body_size {megabytes}m;" in NGINX
    assert f"max_size {megabytes}MiB" in CADDY
    assert f"proxy-body-size: {megabytes}m" in (DEPLOY / "kubernetes/ingress.yaml").read_text()
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX
    assert "proxy_add_x_forwarded_for" not in NGINX
    proxy = COMPOSE["services"]["proxy"]["networks"]["outside"]["ipv4_address"]
    settings = COMPOSE["services"]["service"]["environment"]
    assert settings["NOCISCREEN_TRUSTED_PROXIES"] == proxy


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is missing")
def test_systemd_accepts_the_units_and_finds_them_hardened(tmp_path):
    folder = shutil.copytree(DEPLOY / "systemd", tmp_path / "units")
    for unit in folder.glob("*.service"):  # the program is not installed there
        unit.write_text(unit.read_text().replace("/opt/nociscreen/bin/nociscreen", "/bin/true"))
    units = [str(unit) for unit in sorted(folder.iterdir()) if unit.is_file()]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout + process.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager"]
    for unit in folder.glob("*.service"):
        process = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stdout


def test_units_share_the_hardening_and_stay_down_after_exit_status_2():
    shared = read_unit(HARDENING)["Service"]
    assert shared["ProtectSystem"] == "strict"
    assert shared["NoNewPrivileges"] == "yes"
    assert shared["User"] == "nociscreen"
    lasting = [unit for unit in UNITS if read_unit(unit)["Service"]["Type"] == "exec"]
    assert len(lasting) == 3
    assert {read_unit(unit)["Service"]["RestartPreventExitStatus"] for unit in lasting} == {"2"}
    assert [unit.name for unit in UNITS if not unit.name.startswith("nociscreen-")] == []


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is missing")
def test_nginx_accepts_its_configuration(tmp_path):
    text = re.sub(r"\s(ssl_certificate\w*) \S+;", "", NGINX).replace("443 ssl", "443")
    text = text.replace("/var/log/nginx/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(text)
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", "nginx.conf"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_braces_of_both_proxy_files_are_balanced():
    for text in (NGINX, CADDY):
        code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
        assert code.count("{") == code.count("}") > 0
    statements = [line.strip() for line in NGINX.splitlines()]
    assert [
        line
        for line in statements
        if line and line[0] not in "#}" and not re.search(r"[;{}](\s*#.*)?$", line)
    ] == []


def test_the_roles_let_the_service_migrate_as_neither_superuser_nor_maker_of_roles(
    postgres, tmp_path
):
    secrets = tmp_path / "secrets"
    subprocess.run([DEPLOY / "create-secrets", secrets], check=True, capture_output=True)
    assert sorted(file.name for file in secrets.iterdir()) == sorted(COMPOSE["secrets"])
    again = subprocess.run([DEPLOY / "create-secrets", secrets], check=False, capture_output=True)
    assert again.returncode == 1
    roles = (DEPLOY / "postgresql" / "roles.sql").read_text()
    (tmp_path / "roles.sql").write_text(roles.replace("/run/secrets", str(secrets)))
    url = make_url(tomllib.loads((secrets / "nociscreen.toml").read_text())["database_url"])
    command = ["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "postgres"]
    subprocess.run([*command, "-f", tmp_path / "roles.sql"], check=True, capture_output=True)
    url = url.set(host="127.0.0.1", port=postgres.port).render_as_string(hide_password=False)
    settings = Settings(
        database_file=tmp_path / "unused.db", database_url=url, key_ring_file=secrets / "key-ring"
    )
    process = run_command(settings, "migrate")
    assert (process.returncode, process.stderr) == (0, "the database schema is up to date\n")
    backup_url = make_url(url).set(username="nociscreen_backup", password=None)
    settings = Settings(
        database_file=tmp_path / "unused.db",
        database_url=url,
        key_ring_file=secrets / "key-ring",
        backup_database_url=backup_url.render_as_string(),
    )
    assert run_command(settings, "backup", tmp_path / "nociscreen.dump").returncode == 0
