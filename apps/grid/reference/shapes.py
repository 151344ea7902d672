"""Geometry from outside, parsed as numbers by our own code: GeoJSON or WKT to the bytes that PostGIS keeps.

Nothing of a file reaches GDAL, and no coordinate system that it names is ever looked up: WGS84 degrees or refused.
"""

import json
import re
import struct
from math import isfinite

from django.utils.translation import gettext as _

from apps.grid.reference.values import Wrong

MOST_POINTS = 200_000  # of one shape
WGS84 = 4326
# What an EWKB header holds beside the type: that a reference system follows.
HAS_SRID = 0x20000000
POINT, LINE, POLYGON, MULTILINE, MULTIPOLYGON = 1, 2, 3, 5, 6

# Depth of a type's coordinates, and what it is made of.
TYPES = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
BY_UPPER = {name.upper(): name for name in TYPES}
WKT = re.compile(
    r"\s*(?:SRID=(?P<srid>\d{1,9});)?\s*(?P<type>[A-Z]{5,15})\s*(?:Z|M|ZM)?\s*(?P<body>\(.*\)|EMPTY)\s*",
    re.IGNORECASE | re.DOTALL,
)
WKT_POSITION = re.compile(r"([-+.\deE]+)((?:[ \t\r\n]+[-+.\deE]+)+)")


def point_of(value) -> str | None:
    """Hexadecimal EWKB of a point from GeoJSON, WKT, or a (longitude, latitude) pair. Raises Wrong."""
    if isinstance(value, tuple):
        return point(value)
    name, coordinates = parts_of(value)
    if name == "MultiPoint" and isinstance(coordinates, list) and len(coordinates) == 1:
        name, coordinates = "Point", coordinates[0]
    if not name:
        return None
    if name != "Point":
        raise Wrong(_("a point is wanted here, and this is a %(type)s") % {"type": name})
    return point(coordinates)


def lines_of(value) -> str | None:
    name, coordinates = parts_of(value)
    if not name:
        return None
    if name == "LineString":
        coordinates = [coordinates]
    elif name != "MultiLineString":
        raise Wrong(_("a line is wanted here, and this is a %(type)s") % {"type": name})
    return multi(MULTILINE, LINE, coordinates, lambda line: positions(line, 2))


def area_of(value) -> str | None:
    name, coordinates = parts_of(value)
    if not name:
        return None
    if name == "Polygon":
        coordinates = [coordinates]
    elif name != "MultiPolygon":
        raise Wrong(_("an area is wanted here, and this is a %(type)s") % {"type": name})
    return multi(MULTIPOLYGON, POLYGON, coordinates, polygon)


def parts_of(value) -> tuple[str, list]:
    """Type and coordinates, still unchecked; ("", []) for an empty shape."""
    if isinstance(value, str):
        if not value.strip():
            return "", []
        value = of_text(value)
    if value is None:
        return "", []
    if not isinstance(value, dict):
        raise Wrong(_("this is no shape: neither GeoJSON nor WKT"))
    name, coordinates = value.get("type"), value.get("coordinates")
    if "crs" in value:
        refuse_other(value["crs"])
    if not isinstance(name, str) or name not in TYPES:
        raise Wrong(_("shapes of the type %(type)s are not taken") % {"type": str(name)[:30]})
    if coordinates in (None, []):
        return "", []
    return name, coordinates


def of_text(text: str) -> dict | None:
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Wrong(_("this GeoJSON shape cannot be read")) from None
    match = WKT.fullmatch(text)
    name = match and BY_UPPER.get(match["type"].upper().removesuffix("ZM").removesuffix("Z").removesuffix("M"))
    if not name:
        raise Wrong(_("this is no shape: neither GeoJSON nor WKT"))
    if match["srid"] and int(match["srid"]) != WGS84:
        raise Wrong(not_wgs84(f"SRID {match['srid']}"))
    if match["body"].upper() == "EMPTY":
        return None
    return {"type": name, "coordinates": wkt_coordinates(name, match["body"])}


def wkt_coordinates(name: str, body: str) -> list:
    """`((9 50, 9 51))` becomes `[[[9,50],[9,51]]]`."""
    listed = WKT_POSITION.sub(lambda one: f"[{one[1]},{','.join(one[2].split())}]", body)
    if listed.count("(") > MOST_POINTS or re.search(r"[^-+.\deE,\s()\[\]]", listed):
        raise Wrong(_("this WKT shape cannot be read"))
    try:
        found = json.loads(re.sub(r"(?<![\d.])\+|(?<=\d)\.(?!\d)", "", listed).replace("(", "[").replace(")", "]"))
    except (ValueError, RecursionError):
        raise Wrong(_("this WKT shape cannot be read")) from None
    if name == "Point":
        return found[0] if found else []
    if name == "MultiPoint":  # both MULTIPOINT (1 2, 3 4) and MULTIPOINT ((1 2), (3 4)) are written
        return [one[0] if one and isinstance(one[0], list) else one for one in found]
    return found


def refuse_other(crs) -> None:
    """A `crs` member is a text to be compared, and never anything to be resolved."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    if not re.fullmatch(r"(?i)(urn:ogc:def:crs:)?(OGC:[\d.]*:?CRS84|EPSG:[\d.]*:?4326)|WGS ?84|CRS84|EPSG:4326", name):
        raise Wrong(not_wgs84(name[:60] or str(crs)[:60]))


def not_wgs84(name: str) -> str:
    return _(
        "its coordinates are stated in %(name)s; only longitude and latitude in WGS84 degrees are taken: export with"
        " ogr2ogr -t_srs EPSG:4326"
    ) % {"name": name}


def checked(x, y) -> tuple[float, float]:
    """Longitude and latitude. Raises Wrong for what is neither a number nor a place on earth."""
    if isinstance(x, bool) or isinstance(y, bool) or not isinstance(x, int | float) or not isinstance(y, int | float):
        raise Wrong(_("its coordinates are no numbers"))
    try:
        x, y = float(x), float(y)
    except OverflowError:
        raise Wrong(_("its coordinates are beyond any number")) from None
    if not (isfinite(x) and isfinite(y)):
        raise Wrong(_("its coordinates are no numbers"))
    if not (-180 <= x <= 180 and -90 <= y <= 90):
        raise Wrong(
            _(
                "%(x)g, %(y)g is no longitude and latitude in degrees; only WGS84 is taken: export with ogr2ogr -t_srs"
                " EPSG:4326"
            )
            % {"x": x, "y": y}
        )
    return x, y


def position(value) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= 4:
        raise Wrong(_("a position has a longitude and a latitude"))
    return checked(value[0], value[1])


def positions(value, fewest: int) -> bytes:
    if not isinstance(value, list) or len(value) < fewest:
        raise Wrong(_("a line has at least %(count)d positions") % {"count": fewest})
    if len(value) > MOST_POINTS:
        raise Wrong(_("a shape has at most %(count)d positions: simplify it") % {"count": MOST_POINTS})
    numbers = [number for one in value for number in position(one)]
    return struct.pack(f"<I{len(numbers)}d", len(value), *numbers)


def polygon(rings) -> bytes:
    if not isinstance(rings, list) or not rings:
        raise Wrong(_("an area has an outline"))
    if len(rings) > MOST_POINTS:
        raise Wrong(_("a shape has at most %(count)d positions: simplify it") % {"count": MOST_POINTS})
    packed = []
    for ring in rings:
        packed.append(positions(ring, 4))
        if ring[0][:2] != ring[-1][:2]:
            raise Wrong(_("the outline of an area ends where it begins, and this one is open"))
    return struct.pack("<I", len(rings)) + b"".join(packed)


def multi(whole: int, part: int, coordinates, pack) -> str:
    if not isinstance(coordinates, list) or len(coordinates) > MOST_POINTS:
        raise Wrong(_("its coordinates cannot be read"))
    parts = [struct.pack("<BI", 1, part) + pack(one) for one in coordinates]
    content = b"".join(parts)
    if len(content) > 16 * MOST_POINTS:
        raise Wrong(_("a shape has at most %(count)d positions: simplify it") % {"count": MOST_POINTS})
    return (struct.pack("<BIII", 1, whole | HAS_SRID, WGS84, len(parts)) + content).hex()


def point(coordinates) -> str | None:
    """None for 0, 0, which lies in the sea: what many systems write where they know no place."""
    found = position(coordinates)
    return struct.pack("<BIIdd", 1, POINT | HAS_SRID, WGS84, *found).hex() if any(found) else None
