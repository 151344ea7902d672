"""What only a browser can tell of a page: its width, what its scripts draw. No server: the client of tests answers."""

from datetime import date
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from apps.grid.actions import register_meters
from tests import factories

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


def test_a_day_of_which_a_part_came_says_in_how_many_hours(opened, consumer):
    kwh = np.full((3, 24), 0.5)
    kwh[1, 14:] = np.nan
    factories.store_profiles(factories.InstallationFactory(consumer=consumer).meter, date(2026, 1, 5), kwh)
    page = opened(reverse("consumer", args=[consumer.number]))
    assert "part of a day" in page.content()
    assert tip(page, "own", 0) == "5 Jan 2026\n12 kWh"
    assert tip(page, "own", 1) == "6 Jan 2026\n7 kWh in 14 of 24 h"
