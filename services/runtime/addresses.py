"""Which network addresses anybody may reach, and which only by leave of `[egress] allow`. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LEADS_INSIDE = tuple(
    ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "192.88.99.0/24")
)
"""NAT64, 6to4, Teredo: global by their own number, private by the one inside."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks as written, `10.0.0.0/8`; those that make no sense are left out (`vigie check` names them)."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            continue
    return tuple(found)


def address_of(host: str) -> Address | None:
    """The address that `host` is; None for a name, save `localhost`. `::ffff:10.0.0.1` is 10.0.0.1."""
    if host.lower().rstrip(".") == "localhost":
        return IPv4Address("127.0.0.1")
    try:
        address = ip_address(host.strip("[]").split("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Whether the address is one of the Internet: neither private nor one that leads inside."""
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _LEADS_INSIDE if network.version == address.version)
    )


def is_within(address: Address, allowed: Iterable[Network]) -> bool:
    return any(network.version == address.version and address in network for network in allowed)
