import pickle

import pytest

from portal.errors import Refused
from portal.planning.endpoints import EndpointRule, check_endpoint

PUBLIC = ("52.95.110.1",)


@pytest.mark.parametrize(
    ("url", "allowed", "addresses"),
    [
        ("https://s3.amazonaws.com", (), PUBLIC),
        ("https://s3.eu-central-1.amazonaws.com", (), PUBLIC),
        ("https://s3.dualstack.eu-central-1.amazonaws.com", (), PUBLIC),
        ("https://s3-us-west-2.amazonaws.com", (), PUBLIC),
        ("https://minio.example.org", ("minio.example.org",), PUBLIC),
        ("https://MINIO.example.org.", ("Minio.Example.org",), PUBLIC),
        ("http://minio.example.org:9000/", ("minio.example.org:9000",), ("10.0.0.5",)),
        ("https://a.example.org", ("*.example.org",), PUBLIC),
        ("http://store:9000", ("10.0.0.0/8",), ("10.0.0.5", "10.1.0.5")),
        ("http://127.0.0.1:9000", ("127.0.0.1",), ()),
        ("http://127.0.0.1:9000", ("127.0.0.1:9000",), ()),
        ("http://127.0.0.1:9000", ("127.0.0.0/8",), ("127.0.0.1",)),
        ("http://[::1]:9000", ("::1",), ("::1",)),
        ("http://localhost:9000", ("localhost",), ("127.0.0.1", "::1")),
        ("https://a.example.org", ("*.example.org", "10.0.0.0/8"), ("10.2.3.4",)),
        ("https://minio.example.org", ("https://minio.example.org/",), PUBLIC),
    ],
)
def test_it_lets_aws_and_listed_endpoints_through(
    url: str, allowed: tuple[str, ...], addresses: tuple[str, ...]
) -> None:
    check_endpoint(url, allowed, addresses)


@pytest.mark.parametrize(
    ("url", "allowed", "addresses", "reason"),
    [
        ("https://minio.example.org", (), PUBLIC, "not among"),
        ("https://minio.example.org:9001", ("minio.example.org:9000",), PUBLIC, "not among"),
        ("https://example.org", ("*.example.org",), PUBLIC, "not among"),
        ("https://evil-example.org", ("*.example.org",), PUBLIC, "not among"),
        ("https://s3.amazonaws.com.evil.org", (), PUBLIC, "not among"),
        ("https://ec2-1-2-3-4.compute.amazonaws.com", (), PUBLIC, "not among"),
        ("http://store:9000", ("10.0.0.0/8",), ("10.0.0.5", "192.168.0.1"), "not among"),
        ("http://store:9000", ("10.0.0.0/8",), (), "not among"),
        ("https://s3.amazonaws.com", (), ("10.0.0.5",), "private"),
        ("https://s3.amazonaws.com", (), ("127.0.0.1",), "private"),
        ("https://a.example.org", ("*.example.org",), ("10.0.0.5",), "private"),
        ("https://a.example.org", ("*.example.org",), ("::ffff:10.0.0.5",), "private"),
        ("https://a.example.org", ("*.example.org",), ("64:ff9b::a00:5",), "private"),
        ("https://a.example.org", ("*.example.org",), (*PUBLIC, "10.0.0.5"), "private"),
        ("https://minio.example.org", ("minio.example.org",), ("169.254.169.254",), "credentials"),
        ("https://minio.example.org", ("minio.example.org",), ("fd00:ec2::254",), "credentials"),
        ("https://minio.example.org", ("minio.example.org",), ("fe80::1%eth0",), "credentials"),
        ("http://169.254.169.254", (), ("169.254.169.254",), "not among"),
        ("http://0.0.0.0:80", ("0.0.0.0:80",), ("0.0.0.0",), "credentials"),
        ("ftp://minio.example.org", ("minio.example.org",), PUBLIC, "not an http"),
        ("https://u:p@minio.example.org", ("minio.example.org",), PUBLIC, "user name"),
        ("https://minio.example.org?x=1", ("minio.example.org",), PUBLIC, "more than a host"),
        ("https://minio.example.org\\@evil.org", ("minio.example.org",), PUBLIC, "user name"),
        ("https://minio.example.org:0", ("minio.example.org",), PUBLIC, "not an http"),
        ("https://minio.example.org:99999", ("minio.example.org",), PUBLIC, "not a web address"),
        ("https://minio.example.org", ("minio.example.org",), ("what",), "not an address"),
    ],
)
def test_it_refuses_every_way_round_the_list(
    url: str, allowed: tuple[str, ...], addresses: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        check_endpoint(url, allowed, addresses)
    assert caught.value.hint


def test_it_judges_the_name_alone_while_nothing_is_resolved() -> None:
    check_endpoint("https://minio.example.org", ("minio.example.org",), ())


@pytest.mark.parametrize(
    ("url", "allowed", "trusted"),
    [
        ("http://minio.example.org:9000", ("minio.example.org",), True),
        ("http://minio.example.org:9000", ("minio.example.org:9000",), True),
        ("http://minio.example.org:9000", ("minio.example.org:9001",), False),
        ("http://minio.example.org:9000", ("*.example.org",), False),
        ("http://minio.example.org:9000", ("10.0.0.0/8",), False),
        ("http://10.0.0.5:9000", ("10.0.0.0/8",), True),
        ("http://[::1]:9000", (), True),
    ],
)
def test_a_name_is_trusted_with_its_addresses_only_where_it_was_listed_itself(
    url: str, allowed: tuple[str, ...], trusted: bool
) -> None:
    assert EndpointRule(url, allowed).trusts_name is trusted


def test_a_rule_travels_to_other_processes() -> None:
    rule = EndpointRule("https://minio.example.org", ("minio.example.org",))
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert hash(rule) == hash(EndpointRule("https://minio.example.org", ("minio.example.org",)))
