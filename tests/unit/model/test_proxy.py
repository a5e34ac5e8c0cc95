"""Limits of requests: of the site, otherwise of its bench, field by field."""

from frappe_operator.api.proxy import Proxy
from frappe_operator.model.proxy import DEFAULT, Limits, limits, widest


def test_the_site_wins_field_by_field_and_what_nobody_sets_is_the_default() -> None:
    bench = Proxy(body_size="200Mi", read_timeout=300)
    assert limits(None, None) == DEFAULT
    assert limits(None, bench) == Limits(200 * 2**20, 300)
    assert limits(Proxy(read_timeout=60), bench) == Limits(200 * 2**20, 60)
    assert limits(Proxy(body_size=2**20), bench) == Limits(2**20, 300)


def test_a_size_that_cannot_be_read_is_the_default() -> None:
    assert limits(Proxy(body_size="big"), None).body_bytes == DEFAULT.body_bytes


def test_the_proxy_of_a_bench_lets_through_what_any_of_its_sites_does() -> None:
    assert widest([]) == DEFAULT
    assert widest([Limits(2**30, 60), Limits(2**20, 900)]) == Limits(2**30, 900)
