"""What a watch is told is checked whole before it begins, and what is wrong is said with file and field."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rig.cli.trust_watch import watch
from rig.errors import Misuse
from rig.trust.watch.config import read_watch_config
from rig.trust.watch.example import EXAMPLE
from rig.trust.watch.service import WatchCallbacks, check, watch_once
from tests.rig.trust.watch.watch_lab import FIRMWARE, pki

ENDPOINT = '[[endpoint]]\nhost = "ota.rig.test"\n'


def written(folder, text):
    (folder / "watch.toml").write_text(text)
    return folder / "watch.toml"


def test_the_example_is_a_config(tmp_path):
    config = read_watch_config(written(tmp_path, EXAMPLE))
    assert [endpoint.name for endpoint in config.endpoint] == ["ota.example.com:443", "ota9.example.com:8443"]
    assert config.endpoint[1].places == (("192.0.2.10", 8443), ("192.0.2.11", 443), ("2001:db8::1", 443))
    assert config.state == tmp_path / "watch-state"


WRONG = {
    "no TOML": ("endpoint = [", "is not TOML"),
    "no endpoint": ("", "watch.toml: endpoint: Field required"),
    "an unknown field": (f"evry = 3\n{ENDPOINT}", "watch.toml: evry: there is no such field .hint: did you mean every"),
    "no minutes": (f"every = 0\n{ENDPOINT}", "every: Input should be greater than 0"),
    "no number": (f"every = nan\n{ENDPOINT}", "every: Input should be a finite number|every: .*greater"),
    "a host that is none": ('[[endpoint]]\nhost = "a b"\n', "endpoint.0.host: .*is no host name"),
    "a URL for a host": ('[[endpoint]]\nhost = "https://a"\n', "endpoint.0.host: .*is no host name"),
    "a port that is none": (f"{ENDPOINT}port = 0\n", "endpoint.0.port"),
    "an address that is a name": (f'{ENDPOINT}addresses = ["a.test"]\n', "endpoint.0.addresses: .*is no IP address"),
    "an address with a port that is none": (f'{ENDPOINT}addresses = ["127.0.0.1:0"]\n', "is no IP address"),
    "a flaw that is none": (f'{ENDPOINT}accept = ["old"]\n', "endpoint.0.accept.0"),
    "the same endpoint twice": (ENDPOINT + ENDPOINT, "endpoint 'ota.rig.test:443' is there twice"),
    "firmware without pins": (ENDPOINT + FIRMWARE, "pins: firmware needs the folder"),
    "a webhook without URL": (f"{ENDPOINT}[[alert.webhook]]\n", "alert.webhook.0: .*either url or url_from"),
    "a secret in the file": (
        f'{ENDPOINT}[[alert.webhook]]\nurl = "http://a/"\nheaders = {{ Authorization = "x" }}\n',
        "alert.webhook.0.headers: there is no such field .hint: did you mean headers_from",
    ),
    "a command of one string": (f'{ENDPOINT}[[alert.command]]\nargv = "mail ops"\n', "alert.command.0.argv"),
    "two channels of one name": (
        f'{ENDPOINT}[[alert.command]]\nargv = ["a"]\n[[alert.command]]\nargv = ["b"]\n',
        "alert: .*name 'command' is there twice",
    ),
    "a command that is not there": (
        f'{ENDPOINT}[[alert.command]]\nargv = ["/no/such"]\n',
        "command command: argv: there is no program /no/such",
    ),
    "figures for everybody": (f'{ENDPOINT}[metrics]\nlisten = "0.0.0.0:9469"\n', "metrics.listen: .*port of loopback"),
    "figures at no address": (f'{ENDPOINT}[metrics]\nlisten = "foo"\n', "metrics.listen: .*'foo' is no port of loop"),
    "figures at no port": (f'{ENDPOINT}[metrics]\nlisten = "localhost:70000"\n', "metrics.listen: .*of loopback"),
    "figures nowhere": (f'{ENDPOINT}[metrics]\nfile = "no/such/f.prom"\n', "metrics.file: .* is no folder"),
    "roots that are not there": (f'roots = "none.pem"\n{ENDPOINT}', "none.pem"),
    "a manifest that is not there": (f'manifest = "none.toml"\npins = "pins"\n{ENDPOINT}', "none.toml"),
    "a pin that is not there": (f'pins = "empty"\n{ENDPOINT}{FIRMWARE}', "firmware pins lets-encrypt-r3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_with_file_and_field(tmp_path, case):
    text, message = WRONG[case]
    with pytest.raises(Misuse, match=message) as error:
        check(written(tmp_path, text))
    assert len(str(error.value).splitlines()) == 1


def test_a_config_that_is_not_there_is_misuse(tmp_path):
    with pytest.raises(Misuse, match=r"cannot read the watch's config .*none.toml"):
        watch_once(tmp_path / "none.toml", None, WatchCallbacks())


def test_a_check_tells_what_nobody_watches(tmp_path):
    pki().publish(tmp_path / "pins")
    firmware = '[[firmware]]\nname = "lamp"\nesp32 = { client = "deploy-the-fleet", fleet_release = "1.0.7", '
    text = f'pins = "pins"\n{ENDPOINT}{firmware}url = "https://ota.rig.test/lamp" }}\n'
    told = check(written(tmp_path, text))
    assert told["unwatched"] == {"ota9.rig.test:443": ["lamp"]}


def invoke(*words):
    from typer import Typer

    app = Typer()
    app.command()(watch)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_prints_the_example():
    assert invoke("--example").stdout == EXAMPLE


def test_the_command_checks(tmp_path):
    done = invoke(written(tmp_path, ENDPOINT), "--check-config")
    assert done.exit_code == 0
    assert "is right: 1 endpoint, no firmware" in done.stdout
    assert "nobody is told" in done.stdout


def test_many_kinds_of_firmware_are_named_on_lines_that_a_terminal_shows(tmp_path):
    pki().publish(tmp_path / "pins")
    more = "".join(FIRMWARE.replace('name = "', f'name = "of-{number}-') for number in range(12))
    lines = invoke(written(tmp_path, f'pins = "pins"\n{ENDPOINT}{more}'), "--check-config").stdout.splitlines()
    assert "1 endpoint, 24 kinds of firmware" in lines[0]
    assert all(f"of-{number}-" in "".join(lines[1:]) for number in range(12))
    assert max(map(len, lines[1:])) <= 102


def test_the_command_needs_a_config():
    assert isinstance(invoke("--once").exception, Misuse)


def test_the_command_does_one_round_and_says_what_holds(tmp_path):
    text = 'look_again = 0.01\n[[endpoint]]\nhost = "ota.rig.test"\naddresses = ["127.0.0.1:1", "[::1]:1"]\n'
    config = written(tmp_path, text)
    done = invoke(config, "--once")
    assert done.exit_code == 3
    assert "[::1]:1 is not reachable" in " ".join(done.stdout.split()), "brackets are no markup"
    output = json.loads(invoke(config, "--once", "--json").stdout)
    assert output["status"] == 3
    assert [fact["kind"] for fact in output["facts"]] == ["unreachable", "unreachable"]
    assert output["alerts"] == [], "the first round told it"
