"""The allowlist: normalised hosts and ports, and private addresses only for private hosts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.outbound.allowlist import (
    AllowedHost,
    HostPort,
    find_allowed_host,
    normalise_host,
    parse_target_url,
    require_permitted_addresses,
)
from api.outbound.errors import OutboundError
from api.outbound.http_client import HTTP_SCHEMES

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "224.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"]
NEVER_PERMITTED = ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_in_every_embedding(address):
    with pytest.raises(OutboundError, match="not_allowed"):
        require_permitted_addresses([address], allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_one_private_address_among_others_refuses_them_all(address):
    with pytest.raises(OutboundError, match="not_allowed"):
        require_permitted_addresses(["1.1.1.1", address], allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_permitted(address):
    assert require_permitted_addresses([address], allow_private=False) == (address,)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fe80::1", "::1"])
def test_a_private_address_is_permitted_for_a_private_host(address):
    assert require_permitted_addresses([address], allow_private=True) == (address,)


@pytest.mark.parametrize("address", NEVER_PERMITTED)
def test_an_address_of_no_host_is_never_permitted(address):
    with pytest.raises(OutboundError, match="not_allowed"):
        require_permitted_addresses([address], allow_private=True)


@pytest.mark.parametrize(
    "name",
    [
        "127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001", "1.2.3.4.5",
        "127.0.0.1.2", "1.0x2", "127.0.0.01", "256.1.1.1", "", ".", "a..b", "-a.example",
        "a-.example", "ex ample", "ex%61mple", "\uff11.0.0.1", "exämple.org", "a_b.example",
        "[::1]",
        "::1%eth0", "a" * 64 + ".example", "0x", "example.0x7f",
    ],
)  # fmt: skip
def test_a_host_that_only_some_programs_accept_is_refused(name):
    with pytest.raises(ValueError, match="must be a host name"):
        normalise_host(name)


@pytest.mark.parametrize(
    ("name", "normalised"),
    [
        ("EHR.Example.ORG.", "ehr.example.org"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("xn--exmple-cua.org", "xn--exmple-cua.org"),
    ],
)
def test_a_host_has_one_normalised_form(name, normalised):
    assert normalise_host(name) == normalised


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/", "https://", "https:///x", "https://u:p@a.example/", "https://a.example#f",
        "https://a.example/#", "https://a.example:0/", "https://a.example:99999/",
        "https://a.example:x/", "https://a.example\\@b.example/", "https://a.example/ x",
        "https://a.example/\n", "https://[::1/", "https://[::1%25lo]/", "https://[v1.x]/",
        "//a.example", "a.example", "https://a@b@c.example",
    ],
)  # fmt: skip
def test_an_unusual_url_is_refused(url):
    with pytest.raises(ValueError, match=r".+"):
        parse_target_url(url, HTTP_SCHEMES)


def test_a_url_is_parsed_into_scheme_host_port_and_path():
    assert parse_target_url("https://EHR.example:8443/r4?x=1", HTTP_SCHEMES) == (
        "https", HostPort("ehr.example", 8443), "/r4?x=1",
    )  # fmt: skip
    assert parse_target_url("https://[2001:db8::1]", HTTP_SCHEMES).host_port == HostPort(
        "2001:db8::1", 443
    )


def test_a_host_is_allowed_on_its_port():
    allowed_hosts = (AllowedHost(HostPort("ehr.example", 443), False),)
    assert find_allowed_host(HostPort("ehr.example", 443), allowed_hosts) is allowed_hosts[0]


@pytest.mark.parametrize(
    "host_port", [("ehr.example", 80), ("x.ehr.example", 443), ("example", 443)]
)
def test_another_port_or_host_is_not_allowed(host_port):
    allowed_hosts = (AllowedHost(HostPort("ehr.example", 443), False),)
    with pytest.raises(OutboundError, match="not_allowed"):
        find_allowed_host(HostPort(*host_port), allowed_hosts)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_normalised_once(text):
    try:
        once = normalise_host(text)
    except ValueError:
        return
    assert normalise_host(once) == once
