"""What the proofs of a pack come to, as one page. Pure but for its command.

`python -m sandbox.drill.proof.table FILE.json... > docs/proofs.md` makes the page of proofs that were made one by
one; `sandbox scenario prove all --table docs/proofs.md` makes them first.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sandbox.drill.proof.proof import BLIND, BLIND_MOST, CHEATS
from sandbox.drill.responders.registry import GOLD
from sandbox.drill.scenario import library

INTRO = """\
# Proofs of the core pack

Every scenario is held against its own healthy day, further healthy days, look-alikes in place of its fault, and other
actions than the accepted one; then all responders play it, and the knowing one once more without the fault. How to
read it: [scenarios.md](scenarios.md). Made by `sandbox scenario prove all --table docs/proofs.md`.

"""


def of_pack(documents: Sequence[dict[str, Any]]) -> list[str]:
    """What holds on average over a pack only, and does not; empty when all is well."""
    played = [d["responders"] for d in documents if d["responders"]]
    if not played:
        return []
    found = []
    blind = statistics.fmean(v for scores in played for k, v in scores.items() if k != GOLD)
    if blind > BLIND_MOST:
        found.append(f"who does not look scores {blind:.2f} on average, above {BLIND_MOST}")
    cheats, constant = (statistics.fmean(s[who] for s in played if who in s) for who in (CHEATS, BLIND))
    if cheats > constant:
        found.append(f"{CHEATS} scores {cheats:.3f} on average, {BLIND} {constant:.3f}")
    return found


def page(documents: Sequence[dict[str, Any]], pack: Iterable[str] = ()) -> str:
    """Markdown. documents: of `Proof.document`. pack: names of all scenarios, of which some may have no proof."""
    proved = {d["scenario"] for d in documents}
    missing = sorted(name for name in pack if name not in proved)
    left = [f"\nNot proved with these: {', '.join(missing)}."] if missing else []
    return INTRO + "\n".join([*_lines(documents), *left]) + "\n"


def _lines(documents: Sequence[dict[str, Any]]) -> list[str]:
    rows = [_row(d) for d in sorted(documents, key=lambda d: str(d["scenario"]))]
    head = ("scenario", "ok", "harm, z", "first signal", "evidence", "accepted action averts", "best other",
            "gold", "without the fault", "others, mean", "constant", "gamer")  # fmt: skip
    table = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]
    wrong = [f"- {d['scenario']}: {d['why']}" for d in documents if not d["ok"]]
    wrong += [f"- the pack: {text}" for text in of_pack(documents)]
    claims = sum(len(d["claims"]) for d in documents)
    told = f"{claims} sentences of title, briefing, page and explanation were held against the lake."
    return [*table, "", told, "", *(["Not as it should be:", "", *wrong] if wrong else ["All is as it should be."])]


def _row(document: dict[str, Any]) -> tuple[str, ...]:
    scores, signal = document["responders"], document["first_signal"]
    others = [score for name, score in scores.items() if name != GOLD]
    averted = list(document["averted"].values())
    return (
        document["scenario"],
        "yes" if document["ok"] else "no",
        f"{document['harm_metric']}, {document['harm_z']:.1f}",
        f"{signal['name']}, {signal['after_s'] / 60:.0f} min" if signal["name"] else "none",
        " ".join(f"{row['strength']:.2f}" for row in document["evidence"]),
        f"{averted[0]:.0%}" if averted else "-",
        f"{max(averted[1:]):.0%}" if averted[1:] else "-",
        *(_score(scores.get(GOLD)), _score(document["no_fault"])),
        _score(statistics.fmean(others) if others else None),
        _score(scores.get(BLIND)),
        _score(scores.get(CHEATS)),
    )


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.stdout.write(page([json.loads(Path(name).read_text()) for name in sys.argv[1:]], library.load_all()))
