"""The original's own setting: 10,000 made-up consumers, a year of hours, one in twenty with one of five named kinds."""


def run(quick, progress):
    return {}
