"""The graph of a run as a picture: stages in their order, what passes between them and what was dropped."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.pipeline.stages.book import Run, StageRun
from sandbox.pipeline.stages.spec import SOURCE, Stage


def mermaid(stages: Sequence[Stage], run: Run | None) -> str:
    """A flow chart for Markdown. run: whose counts stand in it; None for none."""
    passed = {one.stage: one for one in run.stages} if run else {}
    lines = ["flowchart TD"]
    for name in dict.fromkeys(d for stage in stages for d in stage.reads if d.startswith(SOURCE)):
        lines.append(f"  {_id(name)}[({name.removeprefix(SOURCE)})]")
    makers = {dataset: stage.name for stage in stages for dataset in stage.writes}
    for stage in stages:
        lines.append(f'  {stage.name}["{"<br/>".join(_words(stage, passed.get(stage.name), run))}"]')
        by_maker: dict[str, list[str]] = {}
        for dataset in stage.reads:
            by_maker.setdefault(_id(dataset) if dataset.startswith(SOURCE) else makers[dataset], []).append(dataset)
        for maker, datasets in by_maker.items():
            label = "" if datasets[0].startswith(SOURCE) else f"|{', '.join(datasets)}|"
            lines.append(f"  {maker} -->{label} {stage.name}")
        if run and run.blocked_by and run.blocked_by.stage == stage.name:
            lines.append(f"  style {stage.name} stroke:#c0392b,stroke-width:3px")
    return "\n".join(lines) + "\n"


_WIDTH, _BOX, _GAP = 620, 58, 26


def svg(stages: Sequence[Stage], run: Run | None) -> str:
    """The same as a picture that needs no script: one box under the other, dropped rows to their right."""
    passed = {one.stage: one for one in run.stages} if run else {}
    height = len(stages) * (_BOX + _GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' font-family="sans-serif" font-size="12" role="img"><title>Stages of the pipeline</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for i, stage in enumerate(stages):
        y = 10 + i * (_BOX + _GAP)
        blocked = bool(run and run.blocked_by and run.blocked_by.stage == stage.name)
        colour = "#c0392b" if blocked else "#2c6e49" if stage.name in passed else "#999999"
        parts.append(
            f'<rect x="10" y="{y}" width="300" height="{_BOX}" rx="6" fill="#ffffff" stroke="{colour}" stroke-width="2"/>'
        )
        name, *more = _words(stage, passed.get(stage.name), run)
        parts.append(f'<text x="22" y="{y + 20}" font-weight="bold" fill="#222222">{_escaped(name)}</text>')
        for row, line in enumerate(more[:1]):
            parts.append(f'<text x="22" y="{y + 40 + 16 * row}" fill="#222222">{_escaped(line)}</text>')
        for row, line in enumerate(more[1:4]):
            parts.append(f'<text x="330" y="{y + 18 + 16 * row}" fill="#8a4b08">{_escaped(line)}</text>')
        if i + 1 < len(stages):
            parts.append(
                f'<path d="M160 {y + _BOX} V{y + _BOX + _GAP - 4} m-5 -6 l5 6 l5 -6" fill="none" stroke="#555555"/>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _words(stage: Stage, passed: StageRun | None, run: Run | None) -> list[str]:
    """Name, counts, a line for each reason of a drop, and why it stopped."""
    if passed is None:
        return [stage.name]
    lines = [
        stage.name,
        f"{passed.rows_in:,} in, {passed.rows_out:,} out{', kept from before' if passed.cached else ''}",
    ]
    lines += [f"− {n:,} {reason.replace('_', ' ')}" for reason, n in passed.dropped.items()]
    if run and run.blocked_by and run.blocked_by.stage == stage.name:
        lines.append(f"stopped by {run.blocked_by.check}")
    return lines


def _id(name: str) -> str:
    return name.replace(".", "_")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
