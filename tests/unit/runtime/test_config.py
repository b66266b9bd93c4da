"""Settings: what a file says, and every fault of one at once, each with its place."""

import hashlib
from pathlib import Path

import pytest

from schemas.config import DEFAULT_RULE, Config
from schemas.errors import Misconfigured
from schemas.vocabulary import Channel
from services.runtime.config import load

WHSEC = "whsec_" + "A" * 32
GOOD = """
[kafka]
bootstrap = "kafka-1:9092,kafka-2:9092"
[http]
api = "[::1]:8080"
[auth]
keys = [{ id = "tv", for = "board", sites = ["paris"], hash = "%s" }]
[[sites]]
id = "paris"
time_zone = "Europe/Paris"
[[queues]]
id = "support"
site = "paris"
channel = "chat"
team = "n1"
short = "Support"
hours = "Mo-Fr 08:00-19:00"
service_level = { threshold_s = 30, target = 0.9, definition = "answered_only" }
[[teams]]
id = "n1"
leads = ["lea"]
[[people]]
id = "lea"
channels = [{ kind = "webhook", url = "https://phone.test/lea", secret_env = "LEA_SECRET" }]
[[sources]]
id = "pbx1"
kind = "asterisk_ami"
site = "paris"
user = "wallboard"
secret_env = "PBX1_SECRET"
wrap_up_s = { support = 15 }
[[rules]]
id = "nobody_free"
metric = "agents.available"
fire = "< 1"
clear = ">= 2"
queues = ["support"]
""" % ("0" * 64)


_RELAY = "\n[smtp]\nsender = 'vigie@x.test'"


def _channel(**fields: str) -> str:
    """A person with this channel, on line 3."""
    inside = ", ".join(f"{name}='{value}'" for name, value in fields.items())
    return f"[[people]]\nid='a'\nchannels=[{{{inside}}}]"


def _to(url: str) -> str:
    return _channel(kind="webhook", url=url, secret_env="S")


_URL = "people[0].channels[0].url (line 3): "
_CHANNEL_FAULTS = [
    (_channel(kind="email"), "people[0].channels[0].address (line 3): an email needs an address"),
    (
        _channel(kind="webhook", url="https://x.test/"),
        "people[0].channels[0] (line 3): secret_env or secret_file is missing: where the signing secret",
    ),
    (_channel(kind="email", address="léa@x.test"), "people[0].channels[0].address (line 3): an email"),
    (_channel(kind="email", address="lea@x.test, all@x.test"), "people[0].channels[0].address (line 3): "),
    (_to("https://" + "x" * 64 + ".test/"), _URL + "a webhook needs a url that starts with"),
    (_to("ftp://x.test/"), _URL + "a webhook needs a url that starts with"),
    (_to("https:///lea"), _URL + "a webhook needs a url that starts with"),
    (_to("https://[::1/"), _URL + "a webhook needs a url that starts with"),
    (_to("https://x.test:99999/"), _URL + "a webhook needs a url that starts with"),
    (_to("https://lea:word@x.test/"), _URL + "a name or password in the url is not sent"),
    (_to("https://10.1.2.3/"), _URL + "10.1.2.3 is a private address, and [egress] allow does not"),
    (_to("https://localhost/"), _URL + "localhost is a private address"),
    (_to("https://[::ffff:192.168.0.9]/"), _URL + "::ffff:192.168.0.9 is a private address"),
    (_to("https://169.254.169.254/latest"), _URL + "169.254.169.254 is a private address"),
    (_to("https://[64:ff9b::a01:203]/"), _URL + "64:ff9b::a01:203 is a private address"),
    (_to("http://x.test/"), _URL + "http:// goes to addresses of [egress] allow only"),
    (_to("http://9.9.9.9/"), _URL + "http:// goes to addresses of [egress] allow only"),
]


@pytest.mark.parametrize(
    "text",
    [
        _to("https://x.test:8443/lea?key=1"),
        "[egress]\nallow=['10.0.0.0/8']\n" + _to("http://10.1.2.3:8080/"),
        "[egress]\nallow=['127.0.0.0/8', '::1/128']\n" + _to("http://localhost:9000/"),
        "[egress]\nallow=['172.16.0.0/12']\n" + _to("http://receiver:8080/"),
        _channel(kind="email", address="lea@x.test") + _RELAY,
        "[smtp]\nsender='Vigie <v@x.test>'\nuser='u'\nsecret_env='S'\ntls='none'",
    ],
)
def test_a_channel_that_can_be_reached_is_accepted(tmp_path: Path, text: str) -> None:
    load(_file(tmp_path, text))


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("", "S is not set in the environment"),
        ("letmein", "S holds no signing secret: it must start with whsec_"),
        ("whsec_???", "S holds no signing secret: it is not base64 after whsec_"),
        ("whsec_c2hvcnQ=", "S holds no signing secret: it has 5 bytes, not 24 to 64"),
    ],
)
def test_a_signing_secret_must_be_one(tmp_path: Path, secret: str, fault: str) -> None:
    file = _file(tmp_path, _to("https://x.test/"))

    assert _faults(file, environment={"S": secret}) == [f"people[0].channels[0].secret_env (line 3): {fault}"]


def test_everything_that_keeps_notices_from_people_is_said_at_once(tmp_path: Path) -> None:
    text = """
[[teams]]
id = "n1"
leads = ["lea", "bob"]
[[teams]]
id = "n2"
[[people]]
id = "lea"
channels = [{ kind = "webhook", url = "http://10.0.0.1/", secret_env = "LEA" }, { kind = "email" }]
"""

    assert [fault.partition(": ")[2] for fault in _faults(_file(tmp_path, text), environment={})] == [
        'person "bob" is not in [[people]]',
        '"n2" has no leads: nobody would be told of its alerts',
        "10.0.0.1 is a private address, and [egress] allow does not name it",
        "an email needs an address such as lea@example.org",
        "an email needs [smtp]: the relay that takes it",
        "LEA is not set in the environment",
    ]


def test_without_a_file_there_is_one_rule_and_nothing_else() -> None:
    assert load(None) == Config(rules=[DEFAULT_RULE], from_file=False)


def test_a_whole_file_is_understood(tmp_path: Path) -> None:
    config = load(_file(tmp_path, GOOD), environment={"LEA_SECRET": WHSEC, "PBX1_SECRET": "y"})

    assert config.from_file
    assert config.kafka.bootstrap == "kafka-1:9092,kafka-2:9092"
    queue = config.queue("paris", "support")
    assert (queue.channel, queue.threshold_in_force_s, queue.wait_limit_in_force_s) == (Channel.CHAT, 30, 300)
    assert config.sources[0].wrap_up_s == {"support": 15}
    assert [rule.id for rule in config.rules] == ["nobody_free"]


def test_secrets_are_asked_for_only_with_an_environment(tmp_path: Path) -> None:
    file = _file(tmp_path, GOOD)
    load(file)

    assert _faults(file, environment={"LEA_SECRET": ""}) == [
        "people[0].channels[0].secret_env (line 24): LEA_SECRET is not set in the environment",
        "sources[0].secret_env (line 30): PBX1_SECRET is not set in the environment",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[kafka]\npartitons = 4", 'kafka.partitons (line 2): unknown field (did you mean "partitions"?)'),
        ("[kafka]\npartitions = 0", "kafka.partitions (line 2): expected `int` >= 1"),
        ("[kafka]\nbootstrap = 'kafka'", 'kafka.bootstrap (line 2): "kafka" is not host:port'),
        ("[kafka]\nbootstrap = 'a:1,b'", 'kafka.bootstrap (line 2): "b" is not host:port'),
        ("kafka = 3", "kafka (line 1): expected a table, got `int`"),
        ("from_file = true", "from_file (line 1): unknown field"),
        ("[http]\napi = '127.0.0.1'", 'http.api (line 2): "127.0.0.1" is not host:port'),
        ("[http]\napi = '127.0.0.1:70000'", 'http.api (line 2): "127.0.0.1:70000" is not host:port'),
        ("[http]\napi = '::1:80'", 'http.api (line 2): "::1:80" is not host:port'),
        (
            "[http]\n\napi = '127.0.0.1:8081'",
            "http.api (line 3): 127.0.0.1:8081 is also the address of ingest",
        ),
        ("[egress]\nallow = ['127.0.0.1/64']", 'egress.allow[0] (line 2): "127.0.0.1/64" is not a network'),
        ("[[sites]]\nid = ''", "sites[0].id (line 2): expected `str` of length >= 1"),
        ("[[sites]]\nid = '*'", 'sites[0].id (line 2): "*" stands for every site'),
        ("[sites]\nid = 'a'", "sites (line 1): expected [[sites]], got a table"),
        (
            "[[sites]]\nid = 'a'\ntime_zone = 'Mars/Olympus'",
            'sites[0].time_zone (line 3): "Mars/Olympus" is not',
        ),
        ("[[sites]]\nid = 'a'\ntime_zone = '../x'", 'sites[0].time_zone (line 3): "../x" is not a time zone'),
        (
            "[[sites]]\nid = 'a'\n[[sites]]\nid = 'a'",
            'sites[1].id (line 4): "a" is already the id of sites[0]',
        ),
        (
            "[[sites]]\nid='paris'\n[[queues]]\nid='q'\nsite='pari'",
            'queues[0].site (line 5): site "pari" is not in [[sites]] (did you mean "paris"?)',
        ),
        (
            "[[queues]]\nid='q'\n[[queues]]\nid='q'",
            'queues[1].id (line 4): "q" is already the id of queues[0]',
        ),
        ("[[queues]]\nsite='main'", "queues[0] (line 1): id is missing"),
        (
            "[[queues]]\nid='q'\nchannel='phon'",
            "queues[0].channel (line 3): invalid enum value 'phon'; one of phone",
        ),
        ("[[queues]]\nid='q'\nteam='n1'", 'queues[0].team (line 3): team "n1" is not in [[teams]]'),
        ("[[queues]]\nid='q'\nhours='8-19'", 'queues[0].hours (line 3): "8-19" is not days and times'),
        ("[[queues]]\nid='q'\noccupancy=[0.9, 0.1]", "queues[0].occupancy (line 3): its first number is"),
        (
            "[[queues]]\nid='q'\nwait_limit_s=nan",
            "queues[0].wait_limit_s (line 3): expected a number, got nan",
        ),
        (
            "[[queues]]\nid='q'\nwait_limit_s=inf",
            "queues[0].wait_limit_s (line 3): expected a number, got inf",
        ),
        (
            "[[queues]]\nid='q'\nshort='eighteen letters..'",
            "queues[0].short (line 3): expected `str` of length",
        ),
        (
            "queues = [\n{ id = 'p' },\n{ id = 'q', service_level = { threshold_s = 1, target = 2 } } ]",
            "queues[1].service_level.target (line 3): expected `float` <= 1.0",
        ),
        (
            "[[queues]]\nid='q'\n[queues.service_level]\nthreshold_s='20'",
            "queues[0].service_level.threshold_s (line 4): expected `float | null`, got `str`",
        ),
        (
            "[[teams]]\nid='n1'\nleads=['lea',\n'bob']\n[[people]]\nid='lea'",
            "teams[0].leads[1] (line 4): person",
        ),
        (
            "[[people]]\nid='a'\nchannels=[{kind='webhook', secret_env='S'}]",
            "people[0].channels[0].url (line 3): a webhook needs",
        ),
        *[(each + _RELAY, fault) for each, fault in _CHANNEL_FAULTS],
        (
            "[[people]]\nid='a'\nchannels=[{kind='email', address='a@b.test'}]",
            "people[0].channels[0] (line 3): an email needs [smtp]",
        ),
        ("[[teams]]\nid='n1'", 'teams[0] (line 1): "n1" has no leads'),
        ("[smtp]\nhost='relay'", "smtp (line 1): sender is missing"),
        ("[smtp]\nsender='Vigie'", 'smtp.sender (line 2): "Vigie" is not an address such as'),
        ("[smtp]\nsender='v@x.test'\nuser='u'", "smtp (line 1): secret_env or secret_file is missing"),
        ("[smtp]\nsender='v@x.test'\nsecret_env='S'", "smtp (line 1): user is missing"),
        (
            "[smtp]\nhost='relay'\nsender='v@x.test'\nuser='u'\nsecret_env='S'\ntls='none'",
            "smtp.tls (line 6): the password would travel in clear",
        ),
        ("[http]\nboard_url='wall.test'", 'http.board_url (line 2): "wall.test" does not start with'),
        ("[notices]\nlang='de'", "notices.lang (line 2): invalid enum value 'de'"),
        ("[[sources]]\nid='p'\nkind='asterisk_ami'\nsecret_env='S'", "sources[0] (line 1): user is missing"),
        (
            "[[sources]]\nid='p'\nkind='asterisk_ami'\nuser='u'",
            "sources[0] (line 1): secret_env or secret_file",
        ),
        ("[[sources]]\nid='vigie/x'\nkind='http'", 'sources[0].id (line 2): names that start with "vigie/"'),
        ("[[sources]]\nid='p'\nkind='htp'", "sources[0].kind (line 3): invalid enum value 'htp'; one of"),
        ("[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='wait_limit_s'", "rules[0].fire (line 4): "),
        (
            "[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='> 1'\nqueues=['q']",
            'rules[0].queues[0] (line 5): queue "q" is not in [[queues]]',
        ),
        (
            "[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='> 1'\nclear='> 2'",
            'rules[0].clear (line 5): "> 2" compares the same way as fire, "> 1"',
        ),
        (
            "[[rules]]\nid='r'\nmetric='service_level'\nfire='< service_level.target'\nclear='> 0.5'",
            'rules[0].clear (line 5): some values both clear ("> 0.5") and fire ("< service_level.target")',
        ),
        ("[http]\norigins = ['wall.example']", 'http.origins[0] (line 2): "wall.example" is not an origin'),
        ("[auth]", "auth (line 1): keys is empty, so nobody could use Vigie; `vigie key new --for board`"),
        (
            "[[rules]]\nid='source_silent'\nmetric='longest_wait_s'\nfire='> 30'",
            'rules[0].id (line 2): "source_silent" is a rule of Vigie\'s own',
        ),
        (
            "[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='< 30'",
            'rules[0].fire (line 4): "< 30" fires on short waits; a rule on longest_wait_s fires above its',
        ),
        (
            "[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='<= 30'\nclear='> 60'",
            'rules[0].fire (line 4): "<= 30" fires on short waits',
        ),
        (
            "[[rules]]\nid='r'\nmetric='longest_wait_s'\nfire='> 30'\nclear='< 0'",
            'rules[0].clear (line 5): "< 0" compares with 0, and longest_wait_s is never below 0',
        ),
        (
            "[[rules]]\nid='r'\nmetric='occupancy'\nfire='> 85'",
            'rules[0].fire (line 4): "> 85" compares with 85, and occupancy is a ratio from 0 to 1',
        ),
        (
            "[[rules]]\nid='r'\nmetric='service_level'\nfire='< wait_limit_s'",
            'rules[0].fire (line 4): "< wait_limit_s" compares with 120, and service_level is a ratio',
        ),
        (
            "[[rules]]\nid='r'\nmetric='cleared_business'\nfire='< 90'",
            'rules[0].fire (line 4): "< 90" compares with 90, and cleared_business is a ratio from 0 to 1',
        ),
        (
            "[[rules]]\nid='r'\nmetric='agents.available'\nfire='< 0'",
            'rules[0].fire (line 4): "< 0" compares with 0, and agents.available is never below 0',
        ),
        (
            "[[rules]]\nid='r'\nmetric='occupancy'\nfire='>= 0.9'\nclear='<= 0.9'",
            'rules[0].clear (line 5): some values both clear ("<= 0.9") and fire (">= 0.9")',
        ),
        ("[smtp]\nport = 0\nsender = 'v@x.test'", "smtp.port (line 2): expected `int` >= 1"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    faults = _faults(_file(tmp_path, text))

    assert len(faults) == 1
    assert faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("metric", "fire"),
    [
        ("longest_wait_s", "> 30"),
        ("longest_wait_s", ">= 0.5 * wait_limit_s"),
        ("service_level", "< service_level.target"),
        ("abandonment", ">= 0.1"),
        ("occupancy", "< occupancy.low"),
        ("occupancy", "> occupancy.high"),
        ("agents.available", "< 1"),
        ("agents.available", "> 10"),
        ("backlog", "> 500"),
        ("oldest_item_s", ">= 0.75 * wait_limit_s"),
        ("oldest_item_business_s", "> wait_limit_s"),
        ("cleared", "< 0.9"),
        ("cleared_business", "< service_level.target"),
    ],
)
def test_a_rule_may_fire_on_either_side_where_both_make_sense(tmp_path: Path, metric: str, fire: str) -> None:
    [rule] = load(_file(tmp_path, f"[[rules]]\nid='r'\nmetric='{metric}'\nfire='{fire}'")).rules

    assert (rule.metric, rule.fire) == (metric, fire)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ([{"for": "bord"}], "[0].for (line 5): invalid enum value 'bord'"),
        ([{"hash": "abc"}], "[0].hash (line 5): expected `str` matching regex"),
        ([{"hash": hashlib.sha256(b"").hexdigest()}], "[0].hash (line 5): is the hash of nothing"),
        ([{}, {"id": "b"}], "[1].hash (line 6): is also that of auth.keys[0]"),
        ([{}, {"hash": "1" * 64}], '[1].id (line 6): "a" is already the id of auth.keys[0]'),
        ([{"sites": []}], "[0].sites (line 5): is empty"),
        ([{"sites": ["pari"]}], '[0].sites[0] (line 5): site "pari" is not in [[sites]] (did you mean'),
    ],
)
def test_a_fault_of_a_key_is_named_with_its_place(
    tmp_path: Path, keys: list[dict[str, object]], fault: str
) -> None:
    good = {"id": "a", "for": "board", "hash": "0" * 64}
    lines = [
        "{ " + ", ".join(f"{name} = {value!r}" for name, value in {**good, **key}.items()) + " },"
        for key in keys
    ]
    text = "[[sites]]\nid = 'paris'\n[auth]\nkeys = [\n" + "\n".join(lines) + "\n]"

    [said] = _faults(_file(tmp_path, text))
    assert said.startswith(f"auth.keys{fault}")


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "192.168.1.4:8080", "[::]:8080", "wall.example:8080"])
@pytest.mark.parametrize(
    ("service", "use"),
    [("api", "board"), ("ingest", "ingest"), ("aggregator", "board"), ("notifier", "board")],
)
def test_only_this_machine_may_reach_us_without_keys(
    tmp_path: Path, service: str, use: str, address: str
) -> None:
    listening = f"[http]\n{service} = '{address}'\n"
    [fault] = _faults(_file(tmp_path, listening))
    assert f"needs the keys of [auth]: `vigie key new --for {use}` makes one" in fault

    keys = f"[auth]\nkeys = [{{ id = 'a', for = 'board', hash = '{'0' * 64}' }}]\n"
    assert load(_file(tmp_path, listening + keys)).auth is not None


def test_every_fault_comes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "[[queues]]\nid = 'q'\nchannel = 'x'\nhours = 'y'\nsise = 1\n[http]\napi = 'z'\n"

    assert [fault.split(" ", 1)[0] for fault in _faults(_file(tmp_path, text))] == [
        "queues[0].channel",
        "queues[0].hours",
        "queues[0].sise",
        "http.api",
    ]


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    [fault] = _faults(_file(tmp_path, "[kafka\n"))

    assert "line 1" in fault


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        load(tmp_path / "binary.toml")


def _file(folder: Path, text: str) -> Path:
    path = folder / "vigie.toml"
    path.write_text(text, "utf-8")
    return path


def _faults(path: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        load(path, environment=environment)
    return [fault.removeprefix(f"{path}: ") for fault in refused.value.faults]
