"""The model card, rendered from an evaluation: figures never enter it by hand.

python -m ml.evaluation.model_card evaluation/evaluation.json docs/model-card.md
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ml.evaluation import report as tables

INTENDED = """\
This model ranks electricity meters by how much they look like energy that nobody pays for: bypassed and tampered
meters, illegal connections, broken meters. It is meant for a utility that owns the readings, to choose which of many
meters a crew visits first. A person decides on every visit; what the crew finds is the truth, not the score.

Not meant for: cutting a supply, billing an estimate, accusing a person, or any decision without a visit. Not meant for
choosing areas or groups of people: nothing but readings, neighbours on the same transformer and contracts goes in.
"""
METHOD = """\
- **In**: readings of 15 minutes to one day per meter, 28 days or more; optionally sum meters of transformers, and
  outcomes of visits.
- **What it compares**: each meter with its own frozen past and with its neighbours. Features by hour of day are on
  civil time. Gaps are never evidence.
- **What it learns from**: simulated thefts and honest look-alikes laid over the utility's own curves; no label is
  needed. Meters whose own past looks like theft already do not teach. The transformer's balance joins in where it
  passes its quality checks. Meters that were held back calibrate and grade a model; only then its boosters learn from
  them too.
- **How it was graded**: by a frozen protocol that the models were not trained on where it says *what ships*. Its
  households are split, so no household is on both sides. Rows *trained on the same attacks* learn from other households
  under the protocol's own attacks, and flatter: the rows about families and look-alikes that nobody simulated belong
  beside them. Each figure stands beside the plain rule "the last 14 days against the own past and the neighbours".
- **Intervals**: 95 %, households drawn with replacement; the mean over splits of the same households.
"""
VALIDATION = """\
**These are figures of the validation part**, on which detectors were chosen, not of the untouched test part: they lean
to the kind side. It is small (62 British households a split), and its populations are drawn with three thieves or more
among 62, which presses *recall, top 10 %* below what the same ranking reaches on more households."""
LIMITS = """\
- **None of these figures is a hit rate in the field.** Theft was simulated on real curves; real thieves are untidier,
  and honest meters change in ways that nobody listed.
- **Theft older than the readings** leaves no honest past to compare with: without a sum meter at the transformer it is
  not found.
- **A stopped meter and an empty home have the same curve.** Only the contract, the balance or a visit tells them apart;
  such meters wait in a queue of their own.
- **Energy moved to cheaper hours** keeps the total: a daily reading and a daily balance cannot see it.
- **An attack or an honest change that nobody simulated** is judged worse than the headline says; the leave-one-out
  tables say by how much.
- **The balance** needs to know who hangs on which transformer. A wrong map, a clock that is off or a noisy sum meter
  are looked for, and then the meter's own curve has to do; not every such fault is noticed.
- **One spring, one region, ninety-one days** of 622 British households, and up to fifty Australian ones, are what the
  real curves cover. Seasons, heating, shops and industry come from a simulator only.
- **The stated chance** holds for the declared share of thieves. Where theft is rarer or more common, it shifts until
  outcomes of visits have recalibrated it.
- **A threshold** from few transformers wanders: expect several points of false alarms around a nominal 5 %.
"""


def render(report: Mapping) -> str:
    """The card as Markdown."""
    studies = report["studies"].values()
    openings = report["openings"]
    opened = ", ".join(f"{name} {count}" for name, count in openings.items()) or "never"
    data = [
        f"- {study['title']}; part *{study['part']}*, splits {', '.join(map(str, study['seeds']))}" for study in studies
    ]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    parts = [
        "# Model card: detection of non-technical losses",
        f"Rendered from an evaluation of {report['made_on']}{' (quick mode)' if report['quick'] else ''}, "
        f"code `{report['code']}`; {versions}. Do not edit: run `python -m ml.evaluation.model_card`.",
        "## What it is for",
        INTENDED.rstrip(),
        "## How it works, how it was graded",
        METHOD.rstrip(),
        "Graded on:",
        "\n".join(data),
        f"The test part was opened, per model: {opened}.",
        *([VALIDATION] if any(study["part"] == "validation" for study in studies) else []),
        "## Figures",
        *(tables.as_markdown(table).rstrip() for table in tables.tables(report)),
        "## What it cannot do",
        LIMITS.rstrip(),
        "## Run it again",
        "```sh\npython -m ml evaluate --quick          # under three minutes\n"
        "python -m ml evaluate --part test      # everything; an hour and a half, may be stopped and taken up again\n"
        "python -m ml.evaluation.model_card evaluation/evaluation.json docs/model-card.md\n```",
        "The frozen protocol and its curves are not part of this repository: name them with `--protocol DIR "
        "--data DIR`, or in `NTL_PROTOCOL` and `NTL_DATA`. Without them the questions are put to a synthetic city.",
    ]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> None:
    source, target = map(Path, arguments)
    target.write_text(render(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
