"""What only a browser can tell of a page: its width, what its scripts draw. No server: the client of tests answers."""

from datetime import date, timedelta
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from apps.grid.actions import register_meters
from apps.readings.models import Channel, LoadProfile
from apps.readings.quality import Quality
from apps.readings.validation import edits
from tests import factories

MONDAY = date(2026, 1, 5)
CUPS = "ES0021000000001234AB"


@pytest.fixture
def opened(client, sam, page):
    """Shows Sam an address on a screen of that width. It is asked for here: in the browser's thread of control the
    connection is another one, which sees nothing of the test's transaction."""
    client.force_login(sam)

    def open_(address: str, width: int = 1440):
        body = client.get(address).content

        def answer(route):
            path = urlsplit(route.request.url).path
            if path.startswith("/static/"):
                return route.fulfill(path=finders.find(path.removeprefix("/static/")))
            return route.fulfill(body=body, content_type="text/html")

        page.route("**/*", answer)
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"http://testserver{address}", wait_until="networkidle")
        return page

    return open_


def tip(page, series: str, place: int) -> str:
    """What the load profile says where somebody points at a day."""
    return page.evaluate(
        """([seriesName, dataIndex]) => {
            const chart = echarts.getInstanceByDom(document.getElementById("curve"));
            const seriesIndex = chart.getOption().series.findIndex((one) => one.name === seriesName);
            chart.dispatchAction({ type: "showTip", seriesIndex, dataIndex });
            return [...document.querySelectorAll("#curve > div")].at(-1).innerText;
        }""",
        [series, place],
    )


def test_a_long_meter_number_stays_on_a_phones_screen(opened):
    register_meters([CUPS])
    page = opened(reverse("consumers_unassigned"), width=390)
    assert page.get_by_role("link", name=CUPS).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def drawn(page, series: str) -> list:
    """The values of a series of the load profile, [] where it is not drawn."""
    return page.evaluate(
        """(name) => echarts.getInstanceByDom(document.getElementById("curve")).getOption().series
            .filter((one) => one.name === name).flatMap((one) => one.data)""",
        series,
    )


def test_a_day_of_which_a_part_came_says_in_how_many_hours(opened, consumer):
    kwh = np.full((3, 24), 0.5)
    kwh[1, 14:] = np.nan
    factories.store_profiles(factories.InstallationFactory(consumer=consumer).meter, MONDAY, kwh)
    page = opened(reverse("consumer", args=[consumer.number]))
    assert "part of a day" in page.content()
    assert tip(page, "own", 0) == "5 Jan 2026\n12 kWh"
    assert tip(page, "own", 1) == "6 Jan 2026\n7 kWh in 14 of 24 h"


def test_what_the_sender_estimated_stands_apart_from_what_was_measured(opened, consumer):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, MONDAY, np.full((3, 24), 0.5))
    flags = [Quality.ESTIMATED_BY_SENDER if slot < 10 else Quality.MEASURED for slot in range(24)]
    LoadProfile.objects.filter(meter=meter, day=MONDAY).update(quality=flags)
    page = opened(reverse("consumer", args=[consumer.number]))
    assert "estimated by the sender" in page.inner_text(".legend")
    assert (drawn(page, "own"), drawn(page, "sender")) == ([7, 12, 12], [5, None, None])
    assert tip(page, "sender", 0) == "5 Jan 2026\n12 kWh\n5 kWh estimated by the sender"
    page.click("[data-curve=hours]")
    assert (drawn(page, "own")[9:11], drawn(page, "sender")[9:11]) == ([None, 0.5], [0.5, None])


def test_a_day_that_our_own_estimate_stands_in_for_is_not_the_senders_estimate(opened, consumer, sam):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, MONDAY, np.full((30, 24), 0.5))
    edits.edit(meter=meter, day=MONDAY + timedelta(days=25), verb="substitute", note="", by=sam)
    page = opened(reverse("consumer", args=[consumer.number]))
    assert drawn(page, "sender") == []
    assert drawn(page, "own") == [12] * 30
    assert drawn(page, "estimated") == [[25, 12, True]]


def test_what_was_given_to_the_grid_stands_below_the_line(opened, consumer):
    meter = factories.InstallationFactory(consumer=consumer).meter
    factories.store_profiles(meter, MONDAY, np.full((2, 24), 0.5))
    row = LoadProfile.objects.get(meter=meter, day=MONDAY)
    LoadProfile.objects.create(
        meter=meter, channel=Channel.EXPORT, day=MONDAY, kwh=[0.0] * 12 + [3.5] + [0.0] * 11, upload=row.upload
    )
    page = opened(reverse("consumer", args=[consumer.number]))
    assert (drawn(page, "own"), drawn(page, "exported")) == ([12, 12], [-3.5, None])
    assert tip(page, "exported", 0) == "5 Jan 2026\n3.5 kWh given to the grid"
