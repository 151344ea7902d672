"""Small files as senders write them."""

from datetime import date

from apps.readings import actions
from apps.readings.models import Upload
from apps.readings.profiles import chart_values, read_window

STATEMENT = {"timezone": "UTC", "stamps": "start", "unit": "kWh", "multiplier": 1, "measures": "interval"}


def long_csv(*rows: tuple, header: str = "meter,timestamp,kwh") -> str:
    return "\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


def hours(meter: str = "M-1", day: str = "2026-03-01", values=range(24)) -> list[tuple]:
    return [(meter, f"{day} {hour:02}:00", value) for hour, value in enumerate(values)]


def send(content: str | bytes, by=None, name: str = "readings.csv", **statement) -> Upload:
    """The whole way in, as the API and then a worker take it."""
    content = content.encode() if isinstance(content, str) else content
    upload, _is_new = actions.receive(
        file=iter([content]), name=name, sender="head-end", statement={**STATEMENT, **statement}, by=by, confirm=True
    )
    actions.import_upload(upload)
    upload.refresh_from_db()
    return upload


def stored(serial: str, day: str) -> list[float | None]:
    """The kWh of one day as they lie in the table."""
    from apps.grid.models import Meter

    day = date.fromisoformat(day)
    return chart_values(read_window([Meter.objects.get(serial=serial).pk], day, day).kwh[0, 0])


def rejected(upload: Upload) -> list[tuple[int, str, str]]:
    return list(upload.rejected_lines.order_by("line", "pk").values_list("line", "reason", "text"))
