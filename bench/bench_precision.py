"""What crews would find among the visits that the scorer sends them on, in cities not looked at while building.

The ensemble is fitted on the curves of city 1, without labels, and grades consumers of other cities. Beside it stand
the plain rule (last fortnight against own past and neighbours), which is its floor, and chance. The cities are made up
and have the same author as the scorer: the figures compare, they promise nothing about a real utility.

    python -m bench.bench_precision [SEED ...]
"""

import sys

import numpy as np

from ml.baseline import PlainRule
from ml.ensemble import Ensemble
from ml.grading import auc, precision_at, wilson
from ml.synthetic.city import generate_city

FITTED_ON = 1
UNSEEN = (3001, 3002, 3003)
SHARE = 0.05


def run(seeds: tuple[int, ...] = UNSEEN) -> list[dict]:
    ensemble = Ensemble().fit(generate_city(FITTED_ON).window())
    found, plain, ranks, plain_ranks, chance = [], [], [], [], []
    for seed in seeds:
        city = generate_city(seed)
        window, steals = city.window(), city.truth.steals
        scores, rule = ensemble.score(window), PlainRule().score(window)
        found.append(precision_at(scores, steals, SHARE))
        plain.append(precision_at(rule, steals, SHARE))
        ranks.append(auc(scores, steals))
        plain_ranks.append(auc(rule, steals))
        chance.append(steals.mean())
    visits = sum(best.visits for best in found)
    ours, floor = (sum(best.found for best in bests) for bests in (found, plain))
    low, high = wilson(ours, visits)
    plain_low, plain_high = wilson(floor, visits)
    name = f"Precision in the top {SHARE:.0%}, cities {', '.join(map(str, seeds))}"
    return [
        _entry(f"{name}, over the plain rule", ours / visits, floor / visits),
        _entry("  95 % interval, from", low, plain_low),
        _entry("  95 % interval, to", high, plain_high),
        _entry("  the same, over chance", ours / visits, float(np.mean(chance))),
        *(
            _entry(f"  city {seed}", best.value, rule.value)
            for seed, best, rule in zip(seeds, found, plain, strict=True)
        ),
        _entry("  AUC, over the plain rule", float(np.mean(ranks)), float(np.mean(plain_ranks))),
    ]


def _entry(name: str, value: float, floor: float) -> dict:
    return {"name": name, "value": value, "unit": "", "floor": floor, "ratio": value / floor if floor else None}


if __name__ == "__main__":
    for entry in run(tuple(map(int, sys.argv[1:])) or UNSEEN):
        print(f"{entry['name']:<76} {entry['value']:.3f}   floor {entry['floor']:.3f}")
