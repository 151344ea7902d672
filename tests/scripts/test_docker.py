"""No container engine is at hand here, so what can be known without one is held: the files agree with each other."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
SETUP = (ROOT / "scripts/setup.sh").read_text()


def processes() -> set[str]:
    return {line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()}


def packages() -> dict[str, str]:
    lines = (ROOT / "scripts/apt-packages.txt").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def test_every_process_has_its_container() -> None:
    from_our_image = {name for name, service in COMPOSE["services"].items() if service["image"] == "ntl-web"}
    assert from_our_image == processes() | {"migrate"}
    for name in processes():
        assert COMPOSE["services"][name]["command"] == [name]


def test_the_site_waits_for_the_migrations_and_those_for_the_database() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in processes():
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_containers_share_the_uploads_and_run_as_an_ordinary_user() -> None:
    assert "MEDIA_ROOT=/data/media" in DOCKERFILE
    assert all(COMPOSE["services"][name]["volumes"] == ["uploads:/data"] for name in processes())
    assert "\nUSER 10001\n" in DOCKERFILE


def test_the_image_gets_its_packages_from_the_list_of_the_setup_script() -> None:
    assert "scripts/apt-packages.txt" in DOCKERFILE
    assert "scripts/apt-packages.txt" in SETUP
    assert set(packages().values()) == {"all", "here", "browser"}


def test_the_setup_script_knows_how_to_look_for_every_package() -> None:
    for package in packages():
        assert f"    {package}) " in SETUP, package


def test_the_database_container_has_the_settings_of_the_private_one() -> None:
    private = (ROOT / "scripts/services.sh").read_text().replace(" = ", "=")
    for option in COMPOSE["services"]["database"]["command"][1:]:
        assert option.removeprefix("-c") in private
