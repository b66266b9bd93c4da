"""Where services listen, host:port: what that is made of, and who can reach it. Pure."""

from ipaddress import ip_address

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def split_address(address: str) -> tuple[str, int] | None:
    """Host and port of `host:port` or `[IPv6]:port`; None when it is neither."""
    host, _, port = address.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    known = host and not any(c.isspace() or c == "/" for c in host)
    return (host, int(port)) if known and port.isascii() and port.isdigit() and int(port) < 65536 else None


def is_loopback(address: str) -> bool:
    """Whether host:port, or a host alone, names this machine and nothing else."""
    parts = split_address(address)
    host = (parts[0] if parts else address.strip("[]")).lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def from_here(address: str) -> str:
    """host:port under which this machine reaches a service that listens on `address`."""
    host, port = split_address(address) or ("", 0)
    return f"{_WILDCARDS[host]}:{port}" if host in _WILDCARDS else address
