"""What a stranger's payload cannot do, through both doors: the service, and the Lambda runtime behind a Function URL.

What belongs to the operator is planted (keys of the environment, headers, tokens), and so is everything that is private in a payload; then all that leaves the
process is searched for it: answers, logs, metrics, in the dress of the encodings that other people's error messages wear.
"""
import base64
import contextlib
import json
import re
import subprocess
import threading
import urllib.parse

import pytest

from conftest import BINARY, BUILD, KEY, ROOT, batch, dataset, environment, payload
from peer import Peer, chat, reply
from runtime_api import RuntimeApi
from service import Service, read_answer

OK = reply(200, chat("4"))
OPERATORS = "planted-operators-key/0123456789"
STRANGERS = "planted-strangers-key+\"0123456789"
PUBLIC = "93.184.216.34"


# ---- the doors ----

class ServeDoor:
    def __init__(self, origins, env, flags=(), cafile=None):
        flags = [*flags, *(["--cacert", cafile] if cafile else [])]
        self.service = Service("--log-level", "debug", *flags, origins=origins, env=env)

    def ask(self, body):
        answer = self.service.run(body)
        return answer.status, answer.body.decode()

    def address(self):
        return "%s:%d" % (self.service.host, self.service.port)

    def said(self):
        return "".join(line or "" for line in self.service.lines) + self.service.get("/metrics").body.decode()

    def close(self):
        self.service.stop()


class LambdaDoor:
    def __init__(self, origins, env, flags=(), cafile=None):
        assert not flags
        env = {"FAIRFORGE_ALLOWED_ORIGINS": ",".join(origins), "FAIRFORGE_LOG_LEVEL": "debug", **env, **({"SSL_CERT_FILE": str(cafile)} if cafile else {})}
        self.api = RuntimeApi([str(BUILD / "bootstrap")], environment(env)).start()

    def ask(self, body):
        text = body if isinstance(body, str) else body.decode() if isinstance(body, bytes) else json.dumps(body)
        outcome = self.api.invoke({"version": "2.0", "rawPath": "/run", "headers": {}, "isBase64Encoded": False, "body": text,
                                   "requestContext": {"http": {"method": "POST", "path": "/run"}}})
        envelope = outcome.json
        return envelope["statusCode"], envelope["body"]

    def address(self):
        return self.api.address

    def said(self):
        self.api.idle()
        return self.api.stderr

    def close(self):
        self.api.close()


@pytest.fixture(params=[ServeDoor, LambdaDoor], ids=["serve", "lambda"])
def door(request):
    """A factory: door([origin, ...], env) opens one; all are closed after the test."""
    opened = []

    def make(origins=(), env=None, **more):
        opened.append(request.param([o.url if isinstance(o, Peer) else o for o in origins], env or {}, **more))
        return opened[-1]

    make.kind = request.param
    yield make
    for one in opened:
        one.close()


def connector(base, class_path="langchain_openai.chat_models.ChatOpenAI", **params):
    return {"connector": {"class_path": class_path, "params": {"model": "m", "base_url": base, **params}}, "datasets": [dataset()]}


# ---- nothing planted leaves ----

def dresses(secret):
    """The secret as error messages carry it: plain, JSON-escaped, percent-encoded, Base64 wherever it begins."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(json.dumps(secret))[1:-1]
    yield "".join("\\u%04x" % ord(c) for c in secret)
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote(secret, safe="").lower()
    yield "".join("%%%02X" % ord(c) for c in secret)
    for before in ("", "a", "ab", "Bearer ", "user:"):
        yield base64.b64encode((before + secret + "tail").encode()).decode()
        yield base64.urlsafe_b64encode((before + secret).encode()).decode()


def traces(secret):
    """What must not be found: the secret's dresses without the ends that others share, and a good piece of it."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret.encode()).decode()
        yield whole[(before * 8 + 5) // 6:][:24]
    yield from (secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe=""), secret[:16], secret[-16:])


def expect_clean(text, *secrets):
    for secret in secrets:
        for trace in traces(secret):
            assert trace not in text, "%r is in:\n%s" % (trace, text[:4000])


def secrets_of(request):
    """What a provider was sent that is secret, whole and without its scheme."""
    for name, value in request["headers"].items():
        if any(word in name for word in ("authorization", "token", "cookie", "organization", "key")):
            yield value
            yield from value.split()[1:]


def echo(request):
    """A provider that repeats in its error what it was sent: the message is cut, so each reply begins with another dress."""
    said = [d for value in secrets_of(request) for d in dresses(value)]
    turned = len(request["body"]) % len(said)
    return reply(400, {"error": {"message": "Incorrect key: " + " | ".join(said[turned:] + said[:turned])}})


def echo_in_pieces(request):
    """The same, one dress of the key a reply, in message and code."""
    options = list(dresses(request["headers"].get("authorization", "").split()[-1]))
    said = options[len(request["body"]) % len(options)]
    return reply(401, {"error": {"message": "Incorrect API key provided: %s." % said, "code": said}}, {"x-request-id": said.replace("\n", "")})


ENVIRONMENT = {"OPENAI_API_KEY": OPERATORS, "OPENAI_ORG_ID": "planted-org-0123456789", "OPENAI_CUSTOM_HEADERS": "X-Gateway-Token: planted-gateway-0123456789",
               "LLM_API_KEY": OPERATORS, "ALQUIMIA_API_KEY": OPERATORS}


@pytest.mark.parametrize("say", [echo, echo_in_pieces], ids=["all", "pieces"])
def test_planted_keys_never_leave(door, say):
    with Peer([say]) as peer:
        d = door([peer], ENVIRONMENT)
        host = peer.url.split("//")[1]
        own = dict(api_key=STRANGERS, max_retries=0, default_headers={"X-Api-Token": "planted-header-0123456789", "Cookie": "planted-cookie-0123456789"})
        texts = []
        asked = {"datasets": [dataset(*(batch("q" * i) for i in range(120)))]}  # of growing length: all dresses have their turn
        texts.append(d.ask({**connector(peer.url + "/v1", **own), **asked})[1])
        texts.append(d.ask({**connector(peer.url + "/v1", max_retries=0), **asked})[1])
        answers = [b["assistant"] for text in texts for b in json.loads(text)["datasets"][0]["conversation"]]
        asked_once = [a for a in answers if "not run" not in a]
        assert len(asked_once) >= 40 and all("[REDACTED]" in a for a in asked_once), asked_once
        texts.append(d.ask(connector("http://user:planted-password-0123456789@%s/v1" % host, api_key=STRANGERS, max_retries=0))[1])
        texts.append(d.ask(connector(peer.url + "/v1", api_key=STRANGERS + "\n"))[1])
        texts.append(d.ask(connector(peer.url + "/v1", api_key=[STRANGERS]))[1])
        texts.append(d.ask('{"connector": {"params": {"api_key": "%s"' % STRANGERS.replace('"', ""))[1])
        for text in [*texts, d.said()]:
            expect_clean(text, OPERATORS, STRANGERS, "planted-header-0123456789", "planted-cookie-0123456789", "planted-password-0123456789",
                         "planted-org-0123456789", "planted-gateway-0123456789")


def test_nothing_of_a_payload_is_logged(door):
    """Ids, texts, model, path and query of an address, header values, what a provider says of them: none is in logs or metrics, at any level."""
    with Peer([lambda r: reply(200 if b"fine" in r["body"] else 400, chat("PRIVATE answer") if b"fine" in r["body"] else
                               {"error": {"message": "PRIVATE message"}})]) as peer:
        d = door([peer])
        data = [dataset(batch("PRIVATE fine", qa_id="PRIVATE-q1", observation="PRIVATE"), batch("PRIVATE", qa_id="PRIVATE-q2"),
                        session_id="PRIVATE-s", context="PRIVATE", assistant_id="PRIVATE")]
        asked = {**connector(peer.url + "/PRIVATE/v1?PRIVATE=1", api_key="PRIVATE-key-0123456789", model="PRIVATE-model", max_retries=1,
                             default_headers={"X-A": "PRIVATE"}, unknown_PRIVATE=1), "datasets": data}
        d.ask(asked)
        del asked["connector"]["params"]["unknown_PRIVATE"]
        assert "PRIVATE answer" in d.ask(asked)[1]
        d.ask({**asked, "options": {"PRIVATE": 1}})
        d.ask('{"PRIVATE')
        d.ask({"connector": {"class_path": "PRIVATE.Class", "params": {}}, "datasets": data})
        d.ask({**asked, "datasets": [{"PRIVATE": 1}]})
        said = d.said()
        assert "PRIVATE" not in said and "private" not in said.lower(), said


# ---- secrets of the environment ----

@pytest.mark.parametrize("class_path,variable", [
    ("langchain_openai.ChatOpenAI", "OPENAI_API_KEY"),
    ("langchain_openai.ChatOpenAI", "LLM_API_KEY"),
    ("langchain_groq.ChatGroq", "GROQ_API_KEY"),
    ("langchain_google_genai.ChatGoogleGenerativeAI", "GOOGLE_API_KEY"),
    ("langchain_ollama.ChatOllama", "OLLAMA_API_KEY"),
    ("fair_forge.runners.AlquimiaRunner", "ALQUIMIA_API_KEY")], ids=lambda v: v.split(".")[-1])
def test_the_environments_key_goes_only_where_the_operator_says(door, class_path, variable):
    """An origin on the list gets it; another one, of the same host, does not, and is not even asked."""
    with Peer([OK]) as listed, Peer([OK]) as other:
        d = door([listed], {variable: OPERATORS})
        params = {"agent_id": "a", "channel_id": "c"} if "Alquimia" in class_path else {"max_retries": 0}
        for peer in (listed, other):
            asked = connector(peer.url, class_path, **params)
            if "Alquimia" in class_path:
                del asked["connector"]["params"]["model"]
            elif "Ollama" in class_path:
                del asked["connector"]["params"]["max_retries"]
            status, text = d.ask(asked)
            assert status == 200
        assert json.loads(text)["success"] is False and "https" in json.loads(text)["error"], text
        assert listed.requests and any(OPERATORS in v for v in listed.requests[0]["headers"].values())
        assert other.connections == 0


def test_a_config_takes_no_key_elsewhere(door):
    """AlquimiaRunner by `config`, as in the reference: its address by the payload, its key by the environment."""
    with Peer([OK]) as other:
        d = door([], {"ALQUIMIA_API_KEY": OPERATORS})
        for base in (other.url, other.url.replace("http:", "https:")):
            status, text = d.ask({"config": {"base_url": base, "agent_id": "a", "channel_id": "c"}, "datasets": [dataset()]})
            assert status == 200 and json.loads(text)["success"] is False, text
        assert other.connections == 0


# ---- where a payload may go ----

def test_no_way_to_this_machine(door):
    """Loopback in every spelling, the door's own address (the Runtime API gives away the next event), metadata services."""
    with Peer([OK]) as peer:
        d = door([])
        own = d.address().split(":")[1]
        hosts = ["127.0.0.1", "localhost", "127.1", "0177.0.0.1", "2130706433", "0x7f000001", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
                 "127.0.0.1.", "localhost.", "a.localhost", "%31%32%37.0.0.1", "127.0.0.1%2f", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
                 "\u2460\u2461\u2466.0.0.1", "api.openai.com@127.0.0.1", "api.openai.com:443@localhost"]
        for scheme in ("http", "https"):
            bases = ["%s://%s:%s/v1" % (scheme, host, port) for host in hosts for port in (peer.port, own)]
            bases += ["%s://%s/latest/" % (scheme, host) for host in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "100.100.100.200")]
            for base in bases:
                status, text = d.ask(connector(base, api_key=KEY, max_retries=0))
                assert status == 200, text
                answer = json.loads(text)
                sentence = answer["error"] if not answer["success"] else answer["datasets"][0]["conversation"][0]["assistant"]
                assert not answer["success"] or sentence.startswith("[ERROR] "), (base, text)
                assert scheme == "https" or "https" in sentence or "URL" in sentence or "host" in sentence, (base, sentence)
        assert peer.connections == 0, "something connected to this machine"


@pytest.fixture(scope="module")
def preload(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "rebinding.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, ROOT / "tests" / "e2e" / "rebinding.c", "-ldl"], check=True)
    return str(library)


HTTPS = """server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate %s; ssl_certificate_key %s;
location / { default_type application/json; return 200 '%s'; } }"""


@pytest.mark.skipif(b"__asan_init" in BINARY.read_bytes() if BINARY.exists() else False, reason="a sanitizer's runtime must come first among the libraries")
def test_a_rebound_name_leads_nowhere(door, preload, nginx, pki):
    """A name of a stranger's is public at first: it is answered. Then it leads to this machine, where the same server listens: it is not reached."""
    certificate = pki.make("rebound", alt="DNS:rebound.test")
    web = nginx(HTTPS % (*certificate, json.dumps(chat("4"))))
    asked = connector("https://rebound.test:%d/v1" % web.port, api_key=KEY, max_retries=0)
    answers = {}
    for addresses in (PUBLIC, "127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1,127.0.0.1"):
        d = door([], {"LD_PRELOAD": preload, "REBIND": addresses, "PUBLIC": PUBLIC}, cafile=pki.ca)
        answers[addresses] = json.loads(d.ask(asked)[1])["datasets"][0]["conversation"][0]["assistant"]
    assert answers.pop(PUBLIC) == "4", answers
    for addresses, answer in answers.items():
        assert answer.startswith("[ERROR] ") and "may not be reached" in answer, (addresses, answer)


def test_redirects_lead_nowhere(door):
    with Peer([OK]) as inside:
        with Peer([reply(302, "", {"Location": inside.url + "/latest/meta-data"})]) as peer:
            d = door([peer, inside])  # even to an origin that would be allowed
            _, text = d.ask(connector(peer.url + "/v1", api_key=KEY, max_retries=0))
            assert "[ERROR] " in text and "302" in text, text
        assert inside.connections == 0


# ---- what goes onto the wire ----

def test_captured_values_do_not_break_a_header(door):
    """A login that answers with a line break: the next request is not sent."""
    with Peer([reply(200, {"token": "t\r\nX-Injected: 1"}), OK]) as peer:
        d = door([peer])
        _, text = d.ask({"connector": {"class_path": "fairforge.http", "params": {
            "url": peer.url + "/ask", "answer": "/a", "headers": {"Authorization": "Bearer {{captured.token}}"},
            "login": {"url": peer.url + "/login", "capture": {"token": "/token"}}}}, "datasets": [dataset()]})
        assert "[ERROR] " in text and "line break" in text, text
        assert [r["target"] for r in peer.requests] == ["/login"]


def test_headers_of_a_payload_stay_in_their_lines(door):
    with Peer([OK]) as peer:
        d = door([peer])
        for headers in ({"X-A": "a\r\nX-Injected: 1"}, {"X-A\r\nX-Injected": "1"}, {"X-A": "a\u0000"}, {"Content-Length": "0"}, {"Transfer-Encoding": "chunked"},
                        {"Host": "inside.example"}, {"Connection": "Upgrade"}, {"Expect": "100-continue"}):
            status, text = d.ask(connector(peer.url + "/v1", api_key=KEY, default_headers=headers))
            assert status == 200 and json.loads(text)["success"] is False, text
        assert peer.requests == []


# ---- others in the same process ----

def test_one_strangers_pause_holds_nobody_else():
    """A server that asks one account to wait 110 s: another account of the same server is answered meanwhile, whatever shows the account."""
    def by_account(request):
        slow = "slow" in request["headers"]["authorization"]
        return reply(429, {"error": {"message": "wait"}}, {"Retry-After": "110"}) if slow else OK

    with Peer([by_account]) as peer, Service(origins=[peer.url]) as service:
        slow = [connector(peer.url + "/v1", api_key="slow-0123456789", max_retries=2),
                connector(peer.url + "/v1", api_key="same-0123456789", max_retries=2, default_headers={"Authorization": "Bearer slow-0123456789"})]
        waiting = [service.begin(asked) for asked in slow]
        peer.wait_for(2)
        quick = [connector(peer.url + "/v1", api_key="quick-0123456789"),
                 connector(peer.url + "/v1", api_key="same-0123456789", default_headers={"Authorization": "Bearer quick-0123456789"})]
        for asked in quick:
            assert service.run(asked).answers == ["4"]
        for s in waiting:
            s.close()


def test_a_key_that_is_a_common_word_masks_nobody_elses_text():
    """`datasets` as a key: while that run waits, another one's errors are told in full, and the log stays readable."""
    hold = threading.Event()

    def say(request):
        if "Bearer datasets" in request["headers"]["authorization"]:
            hold.wait(60)
        return reply(400, {"error": {"message": "these datasets are wrong"}})

    with Peer([say]) as peer, Service(origins=[peer.url]) as service:
        first = service.begin(connector(peer.url + "/v1", api_key="datasets", max_retries=0))
        peer.wait_for(1)
        answer = service.run(connector(peer.url + "/v1", api_key=KEY, max_retries=0))
        assert "these datasets are wrong" in answer.answers[0], answer
        wrong = service.run({"connector": {"class_path": "x"}, "datasets": [{}]})
        assert "/datasets/0" in wrong.json["error"], wrong
        hold.set()
        with contextlib.closing(first), first.makefile("rb") as stream:
            assert "these [REDACTED] are wrong" in read_answer(stream).answers[0]


def test_tokens_of_the_service_never_leave(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("alice:planted-token-0123456789\n")
    tokens.chmod(0o600)
    with Peer([echo]) as peer, Service("--token-file", tokens, "--log-level", "debug", origins=[peer.url]) as service:
        good = {"Authorization": "Bearer planted-token-0123456789"}
        texts = [service.run(connector(peer.url + "/v1", api_key=KEY, max_retries=0), headers=good).body.decode()]
        for value in ("Bearer planted-token-012345678", "Basic " + base64.b64encode(b"alice:planted-token-0123456789").decode(), "planted-token-0123456789"):
            answer = service.run({}, headers={"Authorization": value})
            assert answer.status == 401
            texts.append(repr(answer))
        texts.append(service.request("GET", "/metrics", headers=good).body.decode())
        assert all("planted-token" not in str(r["headers"]) for r in peer.requests)
        for text in [*texts, "".join(line or "" for line in service.lines)]:
            expect_clean(text, "planted-token-0123456789")


def test_the_table_of_threats_names_tests_that_exist():
    text = (ROOT / "SECURITY.md").read_text()
    named = set(re.findall(r"`((?:tests|src)/[^`]+)`", text))
    assert len(named) > 30
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing, "SECURITY.md names what is not there: %s" % missing
