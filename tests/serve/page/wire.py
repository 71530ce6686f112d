"""What goes between a page and the endpoint: kept back, looked at, or answered by a test."""

import os

TOKEN = os.environ["MGRAY_TOKEN"]


def hold(page, url):
    """Keep requests back; returns those that came."""
    held = []
    page.route(url, lambda route, _request: held.append(route))
    return held


def wait_for(page, held, count=1):
    while len(held) < count:
        page.wait_for_timeout(20)


def be_late(route):
    """Answer as the endpoint does when its time is over."""
    route.fulfill(status=504, json={"code": "deadline", "title": "no answer within the time limit"})


def gate(route):
    """Let pass who has the token."""
    if route.request.headers.get("authorization") == f"Bearer {TOKEN}":
        route.continue_()
    else:
        route.fulfill(status=401, json={"code": "unauthorized", "title": "needs a token"})
