"""Places and networks from MaxMind-format files: both shapes in use, nothing outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from idp.app import create_app
from idp.mfa.risk_values import Place
from idp.networks import GeoDatabase
from idp.policy.addresses import address_of
from idp.settings import Settings

CITY = {
    "country": {"iso_code": "CA"},
    "location": {"latitude": 43.65, "longitude": -79.38},
}
FLAT = {"country_code": "US", "latitude": 40.71, "longitude": -74.0}


def write(path: Path, entries: dict[str, Any], ip_version: int = 4) -> str:
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6)
    for network, record in entries.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


def test_places_and_network_numbers(tmp_path: Path) -> None:
    """MaxMind's shape and the flat one; what is not in the file is not known."""
    places = write(tmp_path / "p.mmdb", {"192.0.2.0/24": CITY, "198.51.100.0/24": FLAT})
    networks = write(
        tmp_path / "n.mmdb",
        {
            "192.0.2.0/24": {"autonomous_system_number": 64496},
            "198.51.100.0/24": {"asn": "64500"},
        },
    )
    atlas = GeoDatabase(places, networks)
    assert atlas.look_up(address_of("192.0.2.9")) == (Place("CA", "", "", 43.65, -79.38), "64496")
    assert atlas.look_up(address_of("::ffff:198.51.100.9"))[0].country == "US"
    assert atlas.look_up(address_of("198.51.100.9"))[1] == "64500"
    for unknown in ("203.0.113.1", "2001:db8::1", None):
        assert atlas.look_up(address_of(unknown)) == (Place(), "")


@pytest.mark.parametrize("record", [{}, {"country": "CA"}, {"location": {}}, {"latitude": "x"}])
def test_a_record_without_coordinates_has_no_place(tmp_path: Path, record: dict[str, Any]) -> None:
    """Files differ; a missing part is not known, never an error."""
    atlas = GeoDatabase(write(tmp_path / "p.mmdb", {"192.0.2.0/24": {"x": "y", **record}}), "")
    assert atlas.look_up(address_of("192.0.2.1"))[0].latitude is None


def test_one_file_can_serve_ipv4_and_ipv6(tmp_path: Path) -> None:
    """IPv6 too."""
    entries = {"2001:db8::/32": FLAT, "192.0.2.0/24": CITY}
    atlas = GeoDatabase(write(tmp_path / "p.mmdb", entries, ip_version=6), "")
    assert atlas.look_up(address_of("2001:db8::1"))[0].country == "US"
    assert atlas.look_up(address_of("192.0.2.1"))[0].country == "CA"


def test_the_settings_name_the_files(tmp_path: Path, settings: Settings) -> None:
    """IDP_PLACE_DATABASE, IDP_ASN_DATABASE, IDP_LISTED_NETWORKS, IDP_DENIED_NETWORKS."""
    from dataclasses import replace

    listed = tmp_path / "listed"
    listed.write_text("203.0.113.0/24\n")
    named = replace(
        settings,
        place_database=write(tmp_path / "p.mmdb", {"192.0.2.0/24": CITY}),
        listed_networks=str(listed),
        denied_networks=("198.51.100.0/24",),
        smtp_host="localhost",
    )
    ports = create_app(named).extensions["runtime"].ports
    assert ports.geo_locator.look_up(address_of("192.0.2.1"))[0].country == "CA"
    assert address_of("203.0.113.5") in ports.suspicious_networks
    assert address_of("198.51.100.5") in ports.denied_networks
    assert address_of("198.51.100.5") not in ports.suspicious_networks
