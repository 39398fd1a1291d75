"""Places: only what was allowed, in its one spelling; in the house only where that was allowed."""

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

HTTP = ("https", "http")
IN_THE_HOUSE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "224.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:0:0:0:0:80ff:fffe",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"]
NEVER = ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"]


@pytest.mark.parametrize("address", IN_THE_HOUSE)
def test_an_address_in_the_house_is_refused_however_it_is_wrapped(address):
    with pytest.raises(OutboundError, match="not_allowed"):
        require_permitted_addresses([address], allow_private=False)


@pytest.mark.parametrize("address", IN_THE_HOUSE)
def test_one_address_in_the_house_among_others_refuses_them_all(address):
    with pytest.raises(OutboundError, match="not_allowed"):
        require_permitted_addresses(["1.1.1.1", address], allow_private=False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_permitted(address):
    assert require_permitted_addresses([address], allow_private=False) == (address,)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fe80::1", "::1"])
def test_what_was_allowed_in_the_house_is_permitted(address):
    assert require_permitted_addresses([address], allow_private=True) == (address,)


@pytest.mark.parametrize("address", NEVER)
def test_what_is_nobodys_address_is_never_permitted(address):
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
def test_a_host_that_only_some_programs_read_is_refused(name):
    with pytest.raises(ValueError, match="must be a host name"):
        normalise_host(name)


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("EHR.Example.ORG.", "ehr.example.org"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("xn--exmple-cua.org", "xn--exmple-cua.org"),
    ],
)
def test_a_host_has_one_spelling(name, one):
    assert normalise_host(name) == one


@pytest.mark.parametrize(
    "address",
    [
        "ftp://a.example/", "https://", "https:///x", "https://u:p@a.example/", "https://a.example#f",
        "https://a.example/#", "https://a.example:0/", "https://a.example:99999/",
        "https://a.example:x/", "https://a.example\\@b.example/", "https://a.example/ x",
        "https://a.example/\n", "https://[::1/", "https://[::1%25lo]/", "https://[v1.x]/",
        "//a.example", "a.example", "https://a@b@c.example",
    ],
)  # fmt: skip
def test_an_address_in_an_unusual_form_is_refused(address):
    with pytest.raises(ValueError, match=r".+"):
        parse_target_url(address, HTTP)


def test_an_address_is_taken_apart():
    assert parse_target_url("https://EHR.example:8443/r4?x=1", HTTP) == (
        "https", HostPort("ehr.example", 8443), "/r4?x=1",
    )  # fmt: skip
    assert parse_target_url("https://[2001:db8::1]", HTTP).host_port == HostPort("2001:db8::1", 443)


def test_a_place_is_allowed_by_name_and_port_and_not_by_either():
    allowed = (AllowedHost(HostPort("ehr.example", 443), False),)
    assert find_allowed_host(HostPort("ehr.example", 443), allowed) is allowed[0]
    for place in (
        HostPort("ehr.example", 80),
        HostPort("x.ehr.example", 443),
        HostPort("example", 443),
    ):
        with pytest.raises(OutboundError, match="not_allowed"):
            find_allowed_host(place, allowed)


@given(st.text(max_size=40))
def test_any_text_is_a_host_in_one_spelling_or_refused(text):
    try:
        once = normalise_host(text)
    except ValueError:
        return
    assert normalise_host(once) == once
