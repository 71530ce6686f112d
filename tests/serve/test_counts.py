import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serve.counts import CountRequests, count_refusal, observe, render


def sample(name, **labels):
    families = text_string_to_metric_families(render().decode())
    found = [s.value for f in families for s in f.samples if (s.name, s.labels) == (name, labels)]
    return found[0] if found else 0.0


def test_a_refusal_is_counted_under_its_reason():
    before = sample("mgray_refused_total", code="no_pixels")
    count_refusal("no_pixels")
    assert sample("mgray_refused_total", code="no_pixels") == before + 1


def test_a_stage_is_measured_in_seconds():
    before = sample("mgray_stage_seconds_sum", stage="decode")
    observe("decode", 1500.0)
    assert sample("mgray_stage_seconds_sum", stage="decode") == before + 1.5


@pytest.mark.parametrize(("begun", "status"), [(False, "500"), (True, "200")])
def test_a_failure_is_counted_once_and_passed_on(begun, status):
    async def fails(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("ours")

    async def send(message):
        pass

    def counted():
        return [
            sample("mgray_requests_total", route="other", status=word) for word in ("200", "500")
        ]

    before = counted()
    with pytest.raises(ValueError, match="ours"):
        asyncio.run(CountRequests(fails)({"type": "http"}, None, send))
    grown = [after - one for after, one in zip(counted(), before, strict=True)]
    assert grown == [status == "200", status == "500"]
