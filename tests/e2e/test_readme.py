"""Every command of README.md, as a new user types it: in a copy of what the repository tracks, from its root."""
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import BINARY, LIMIT_S, ROOT, environment, fairforge, start

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\S+)( skip)?\n(.*?)^```$", TEXT, re.S | re.M)


def commands(skipped):
    """Lines of the sh blocks without their comments."""
    lines = (line.split("  #")[0].strip() for kind, skip, body in BLOCKS if kind == "sh" and bool(skip) == skipped for line in body.splitlines())
    return [line for line in lines if line]


def test_commands_run(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    port, background = "0", []  # the simulator, which the README starts first, says which one it got
    try:
        for line in commands(False):
            words = shlex.split(line.replace("8080", port).removesuffix("&"))
            if words[0] == "./dev":
                continue  # test_dev_commands
            assert words[0] == "fairforge", line
            if line.endswith("&"):
                background.append(start(*words[1:], cwd=tmp_path, stdin=subprocess.DEVNULL))
                listening = background[-1].stdout.readline().decode()
                assert listening.startswith("listening on http://127.0.0.1:")
                port = listening.rpartition(":")[2].strip()
                continue
            result = fairforge(*words[1:], cwd=tmp_path, env={"GROQ_API_KEY": "k-0123456789"})
            assert result.status == 0, "%s: %r" % (line, result)
    finally:
        for process in background:
            process.terminate()
            process.communicate(timeout=LIMIT_S)
    assert (tmp_path / "out.json").exists()


def test_commands_that_need_an_account_have_known_flags():
    """They are not sent anywhere: each is checked up to the point where it would ask the provider."""
    for line in commands(True):
        words = [w for w in shlex.split(line.split("|")[-1].split(">")[0]) if not re.match(r"[A-Z_]+=", w)]
        assert words[0] == "fairforge" and words[1] == "run", line
        result = fairforge(*words[1:], "--help")
        assert result.status == 0, "%s: %r" % (line, result)


def test_payload_of_the_readme_is_valid():
    (text,) = (body for kind, _, body in BLOCKS if kind == "json")
    result = fairforge("check", "-", stdin=text)
    assert result.status == 0, result


def test_dev_commands():
    """./dev test is what runs this test; ./dev demo is run here on the build that is there."""
    assert "exec ./dev test" in (ROOT / ".ci" / "run").read_text()
    if BINARY != ROOT / "build" / "fairforge":
        return  # the demonstration uses the release build
    process = subprocess.run(["./dev", "demo"], cwd=ROOT, env=environment({"FAIRFORGE_DEV_NO_INSTALL": "1", "http_proxy": "http://127.0.0.1:1"}), capture_output=True, timeout=600, check=False,
                             stdin=subprocess.DEVNULL)
    text = process.stdout.decode()
    assert process.returncode == 0, text + process.stderr.decode()
    assert re.search(r"^\d+ turns of \d+ sessions: \d+ ok, 0 failed", text, re.M), text
    assert (ROOT / "demo" / "response.json").exists()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists(), "README links to %s, which is not there" % link
