"""Networks and locations of IP addresses, from local files; no external service is used."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idp.errors import ConfigurationError
from idp.mfa.risk_values import Place
from idp.policy.addresses import Address

if TYPE_CHECKING:
    from maxminddb import Reader


class NetworkSet:
    """A set of networks; a membership test costs one look-up per prefix length."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Raises ValueError for an invalid network."""
        self._by_prefix: dict[tuple[int, int], set[int]] = {}
        for text in networks:
            network = ipaddress.ip_network(text)
            shift = network.max_prefixlen - network.prefixlen
            key = (network.version, shift)
            self._by_prefix.setdefault(key, set()).add(int(network.network_address) >> shift)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, Address) and any(
            version == address.version and int(address) >> shift in starts
            for (version, shift), starts in self._by_prefix.items()
        )


def read_networks(path: str) -> NetworkSet:
    """Read a file with one network per line; ``#`` starts a comment. Raises ConfigurationError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
        return NetworkSet(text for line in lines if (text := line.partition("#")[0].strip()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"IDP_LISTED_NETWORKS: {error}") from error


class GeoDatabase:
    """Looks up the location and network of an address in MaxMind DB files."""

    def __init__(self, places: str, networks: str) -> None:
        """``places`` and ``networks`` are paths, or empty. Raises ConfigurationError."""
        self._places = _open("IDP_PLACE_DATABASE", places)
        self._networks = _open("IDP_ASN_DATABASE", networks)

    def look_up(self, address: Address | None) -> tuple[Place, str]:
        """The location and the autonomous system number; empty if unknown."""
        place = _record(self._places, address)
        network = _record(self._networks, address)
        number = network.get("autonomous_system_number") or network.get("asn") or ""
        return _place(place), str(number)[:20]


def _open(name: str, path: str) -> Reader | None:
    if not path:
        return None
    import maxminddb

    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigurationError(f"{name} cannot be read: {error}") from error


def _record(reader: Reader | None, address: Address | None) -> dict[str, Any]:
    if reader is None or address is None:
        return {}
    if address.version == 6 and reader.metadata().ip_version == 4:
        return {}
    found = reader.get(address)
    return found if isinstance(found, dict) else {}


def _place(record: dict[str, Any]) -> Place:
    """Reads both formats in use: MaxMind's own, and the flat one of freely licensed files."""
    country = record.get("country_code") or (record.get("country") or {})
    if isinstance(country, dict):
        country = country.get("iso_code") or ""
    location = record.get("location") or record
    return Place(
        country=str(country)[:2],
        latitude=_degrees(location.get("latitude")),
        longitude=_degrees(location.get("longitude")),
    )


def _degrees(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
