"""The overview over the stream: all of it, then what is new; looked for once for all, and for nobody where nobody watches."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.services.waiting import wait_for
from tests.unit.warroom.conftest import Caller, Site


def socket_of(site: Site, who: Caller, more: str = "") -> ClientConnection:
    place = f"{site.address.replace('http', 'ws')}/api/v1{who.place}/events"
    return connect(f"{place}?token={who.token}&resume_from=10000{more}", max_size=None)


def seen(socket: ClientConnection) -> dict[str, Any]:
    """The next of the overview that comes."""
    while True:
        told = json.loads(socket.recv(10))
        if told["kind"] == "overview":
            return told


def passes(site: Site) -> None:
    """A second, in which the world goes on."""
    site.scene.desk.clock += 60
    site.hands[0] += 1.5


def test_whoever_watches_is_told_all_of_it_and_then_what_is_new(site: Site):
    ann, bob = site.joined("Ann", "commander"), site.joined("Bob", "observer")
    with socket_of(site, ann, "&watch=true") as first, socket_of(site, bob) as second:
        whole = seen(first)
        second.send("watch")
        also = seen(second)
        looks = site.scene.desk.looked
        passes(site)
        new = [seen(one) for one in (first, second)]

    assert (whole["whole"], whole["edges"][0]["callee"]) == (True, "features")
    assert also == whole
    assert new[0] == new[1]
    assert (new[0]["whole"], new[0]["n"], "edges" in new[0]) == (False, whole["n"] + 1, False)
    assert [ts for ts, _ in new[0]["signals"]["ctr"]] == [site.scene.desk.clock]
    assert site.scene.desk.looked == looks + 1, "one look for both"


def test_nobody_looks_for_what_nobody_watches(site: Site):
    ann = site.joined("Ann", "commander")
    with socket_of(site, ann) as socket:
        socket.send("what?")
        socket.send("watch")
        seen(socket)
        socket.send("rest")
        said = ann.do("chat", text="hello").json()["seq"]
        while json.loads(socket.recv(10)).get("seq") != said:
            pass
        watched = site.served.sight(site.scene.room)._watched
        wait_for(lambda: watched._task is None, within_s=10)
        looks = site.scene.desk.looked
        passes(site)
        ann.do("chat", text="again")
        told = [json.loads(socket.recv(10))["kind"] for _ in range(2)]

    assert site.scene.desk.looked == looks
    assert "overview" not in told


def test_turning_it_on_again_and_again_brings_nothing_twice(site: Site):
    ann = site.joined("Ann", "commander")
    with socket_of(site, ann) as socket:
        socket.send("watch")
        first = seen(socket)
        for _ in range(50):
            socket.send("rest")
            socket.send("watch")
        passes(site)
        again = seen(socket)

    assert (again["whole"], again["n"]) == (False, first["n"] + 1)


def test_the_same_comes_over_server_sent_events_where_it_is_asked_for(site: Site):
    ann = site.joined("Ann", "commander")
    with ann.client.stream("GET", f"{ann.place}/events", params={"resume_from": 9_999, "watch": True}) as stream:
        for line in stream.iter_lines():
            if line == "event: overview":
                break


def test_a_panel_that_says_what_it_said_is_not_sent_again(site: Site):
    ann = site.joined("Ann", "commander")
    first = ann.client.get(f"{ann.place}/logs", params={"to_ts": 1e9})
    again = ann.client.get(f"{ann.place}/logs", params={"to_ts": 1e9}, headers={"if-none-match": first.headers["etag"]})

    assert first.json()["lines"] == []
    assert (again.status_code, again.content) == (304, b"")
