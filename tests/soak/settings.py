"""The simulated centre of `vigie demo` with short limits and leads that can be reached: much to tell."""

import base64
import re
from pathlib import Path

from services.cli import demo

SECRET = "whsec_" + base64.b64encode(b"soaking-vigie-with-32-bytes-good").decode()
SECRET_NAME = "SOAK_SECRET"
WAIT_LIMIT_S = {"phone": 8, "chat": 15}

_RULES = """
[flap]
episodes = 8
within_s = 90

[[rules]]
id = "half_the_limit"
metric = "longest_wait_s"
fire = "> 0.5 * wait_limit_s"

[[rules]]
id = "low_service_level"
metric = "service_level"
fire = "< service_level.target"
window = "5m"
min_contacts = 5

[[rules]]
id = "nobody_free"
metric = "agents.available"
fire = "< 2"
clear = "> 2"
"""


def settings(receiver: str) -> str:
    """What follows the addresses in `vigie.toml`; every lead has a webhook at `receiver`."""
    text = (Path(demo.__file__).with_name("vigie.toml")).read_text("utf-8")
    for channel, limit_s in WAIT_LIMIT_S.items():
        text = re.sub(rf'(channel = "{channel}"\n(?:.+\n)*?wait_limit_s = )\d+', rf"\g<1>{limit_s}", text)
    webhook = f'{{ kind = "webhook", url = "{receiver}", secret_env = "{SECRET_NAME}" }}'
    text = re.sub(r'(\[\[people\]\]\nid = ".+"\n)', rf"\g<1>channels = [{webhook}]\n", text)
    return f'\n[notices]\nlang = "fr"\n[egress]\nallow = ["127.0.0.1/32"]\n{text}{_RULES}'
