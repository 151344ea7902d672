"""Where a made-up city stands: zones that tile a town, a feeder each, transformers and the consumers around them."""

from dataclasses import dataclass

import numpy as np

CITY = "Aldermoor"
WEST, SOUTH, EAST, NORTH = -1.62, 53.02, -1.48, 53.09
"""An empty stretch of the English Midlands stands in for the city that is not there."""
ZONES = (("Westgate", "North", "Abbey Hill", "Eastmoor"), ("Millbank", "South", "Riverside", "Harcourt"))
STREETS = (
    *("Alder", "Birch", "Canal", "Chapel", "Church", "Clover", "Drovers", "Elm", "Fern", "Forge", "Garden", "Hazel"),
    *("Hill", "Kiln", "Larch", "Linden", "Mill", "Orchard", "Park", "Poplar", "Quarry", "Rowan", "School", "Station"),
    *("Tanner", "Thistle", "Victoria", "Weaver", "Well", "Willow"),
)
STREET_ENDS = ("Street", "Road", "Lane", "Close", "Avenue", "Way")
CONSUMERS_PER_TRANSFORMER = 25

Point = tuple[float, float]
"""Longitude and latitude, degrees."""


@dataclass(frozen=True)
class Zone:
    name: str
    ring: list[Point]
    """Closed, counter-clockwise; neighbouring zones share their corners, so the zones leave no gap."""


@dataclass(frozen=True)
class Feeder:
    name: str
    zone: int
    line: list[Point]


@dataclass(frozen=True)
class Transformer:
    name: str
    feeder: int
    zone: int
    place: Point
    sum_meter: str
    """Serial of the meter that measures all that the transformer delivers."""


@dataclass(frozen=True)
class Geography:
    zones: list[Zone]
    feeders: list[Feeder]
    transformers: list[Transformer]
    consumer_transformer: np.ndarray
    """(consumers,) int, index into transformers."""
    consumer_place: np.ndarray
    """(consumers, 2) longitude and latitude."""
    consumer_address: list[str]


def lay_out(rng: np.random.Generator, consumers: int) -> Geography:
    rows, columns = len(ZONES), len(ZONES[0])
    corners = _corners(rng, rows, columns)
    quads = [
        corners[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
        for row in range(rows)
        for column in range(columns)
    ]
    names = [name for row in ZONES for name in row]
    # The first row of corners is the northern one, so the order is reversed to run counter-clockwise.
    zones = [
        Zone(name, _points(_bend(_finely(np.vstack([quad[::-1], quad[-1:]])))))
        for name, quad in zip(names, quads, strict=True)
    ]
    count = -(-consumers // CONSUMERS_PER_TRANSFORMER)
    zone_of = np.sort(np.arange(count) % len(zones))
    inside = _places_inside(rng, zone_of)
    places = np.array([_within(quads[zone], *at) for zone, at in zip(zone_of, inside, strict=True)]).reshape(-1, 2)
    feeders = [
        Feeder(
            f"{zone.name} feeder",
            index,
            _points(_bend(_finely(_along_streets(np.vstack([corners[1, 2], places[zone_of == index]]))))),
        )
        for index, zone in enumerate(zones)
        if (zone_of == index).any()
    ]
    places = np.round(_bend(places), 6)
    feeder_of = {feeder.zone: index for index, feeder in enumerate(feeders)}
    transformers = [
        Transformer(
            f"T-{index + 1:03d}", feeder_of[zone], int(zone), tuple(places[index].tolist()), f"S{70_000 + index}"
        )
        for index, zone in enumerate(zone_of)
    ]
    transformer_of = np.arange(consumers) // CONSUMERS_PER_TRANSFORMER
    around = np.clip(inside[transformer_of] + rng.normal(0, 0.035, (consumers, 2)), 0.02, 0.98)
    homes = [_within(quads[zone_of[at]], *place) for at, place in zip(transformer_of, around, strict=True)]
    homes = _bend(np.array(homes))
    return Geography(zones, feeders, transformers, transformer_of, homes, _addresses(rng, transformer_of))


def _corners(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """(rows + 1, columns + 1, 2) corners shared by the zones; those inside the box are moved a little."""
    lon, lat = np.meshgrid(np.linspace(WEST, EAST, columns + 1), np.linspace(NORTH, SOUTH, rows + 1))
    lon[:, 1:-1] += rng.normal(0, 0.003, (rows + 1, columns - 1))
    lat[1:-1] += rng.normal(0, 0.002, (rows - 1, columns + 1))
    return np.stack([lon, lat], axis=-1)


def _places_inside(rng: np.random.Generator, zone_of: np.ndarray) -> np.ndarray:
    """(transformers, 2) in 0..1: rows of a grid inside each zone, walked back and forth as a feeder runs."""
    inside = np.empty((len(zone_of), 2))
    for zone in np.unique(zone_of):
        rows = np.flatnonzero(zone_of == zone)
        across = int(np.ceil(np.sqrt(len(rows))))
        down, along = np.divmod(np.arange(len(rows)), across)
        along = np.where(down % 2, across - 1 - along, along)
        inside[rows] = 0.12 + 0.76 * (np.stack([along, down], axis=1) + 0.5) / across
    return inside + rng.normal(0, 0.015, inside.shape)


def _within(quad: np.ndarray, across: float, down: float) -> np.ndarray:
    north = quad[0] * (1 - across) + quad[1] * across
    south = quad[3] * (1 - across) + quad[2] * across
    return north * (1 - down) + south * down


def _along_streets(places: np.ndarray) -> np.ndarray:
    """A cable runs along one street and then the next, not across the gardens: a corner between any two places."""
    corners = np.stack([places[1:, 0], places[:-1, 1]], axis=1)
    return np.vstack([np.stack([places[:-1], corners], axis=1).reshape(-1, 2), places[-1:]])


def _finely(line: np.ndarray, steps: int = 8) -> np.ndarray:
    """The line with points between its own, so that it can be bent."""
    share = np.arange(steps)[:, None] / steps
    between = line[:-1, None] * (1 - share) + line[1:, None] * share
    return np.vstack([between.reshape(-1, 2), line[-1:]])


def _bend(places: np.ndarray) -> np.ndarray:
    """Towns are no boxes: (N, 2) places of the box to places of a round and slightly wavy town, each to its own."""
    half = np.array([EAST - WEST, NORTH - SOUTH]) / 2
    middle = np.array([EAST + WEST, NORTH + SOUTH]) / 2
    x, y = ((places - middle) / half).T
    # A square onto a disc, three quarters of the way; then two gentle waves.
    round_x = x * (0.25 + 0.75 * np.sqrt(1 - y**2 / 2)) + 0.05 * np.sin(2.3 * y + 0.5)
    round_y = y * (0.25 + 0.75 * np.sqrt(1 - x**2 / 2)) + 0.06 * np.sin(2.0 * x + 1.1)
    return middle + half * np.stack([round_x, round_y], axis=1)


def _points(places: np.ndarray) -> list[Point]:
    return [tuple(place) for place in np.round(places, 6).tolist()]


def _addresses(rng: np.random.Generator, transformer_of: np.ndarray) -> list[str]:
    """Two streets to a transformer, houses numbered along them."""
    streets = [f"{name} {end}" for end in STREET_ENDS for name in STREETS]
    order = rng.permutation(len(streets))
    side, number = np.arange(len(transformer_of)) % 2, np.arange(len(transformer_of)) // 2
    street = order[(2 * transformer_of + side) % len(streets)]
    first = (2 * transformer_of // len(streets)) * 100
    return [
        f"{first[row] + 1 + number[row] % CONSUMERS_PER_TRANSFORMER} {streets[street[row]]}, {CITY}"
        for row in range(len(transformer_of))
    ]
