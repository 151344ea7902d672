"""Tabler's rules hold for our elements too, where a name is the same: whoever takes one of its names must mean it."""

import re
from pathlib import Path

from django.conf import settings

TABLER = "node_modules/@tabler/core/dist/css/tabler.min.css"
# Elements of Tabler that we make calm and dense, and words that it uses inside other elements only.
MEANT = {
    *("active", "btn", "btn-primary", "chart", "empty", "form-control", "form-label", "form-select", "icon", "legend"),
    *("scroll-x", "strong", "tag", "visually-hidden-focusable"),
}


def classes_in(style: str) -> set[str]:
    return set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", style, flags=re.S)))


def test_no_class_of_ours_is_one_of_tablers_by_chance():
    base = Path(settings.BASE_DIR)
    ours = set().union(*(classes_in(path.read_text()) for path in (base / "static").rglob("*.css")))
    assert ours & classes_in((base / TABLER).read_text()) - MEANT == set()
