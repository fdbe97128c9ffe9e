"""What a check found, for people: one block a finding, errors before warnings, and a last line that counts."""

from __future__ import annotations

from rich.text import Text

from sandbox.drill.authoring.check import Checked
from sandbox.drill.scenario.finding import Finding

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def view(found: Checked) -> Text:
    """One file."""
    text = Text()
    for severity in ("error", "warning"):
        for finding in found.findings:
            if finding.severity == severity:
                text.append_text(_block(found.file, finding))
    text.append(_count(found), style="bold green" if found.ok else "bold red")
    return text


def _block(file: str, finding: Finding) -> Text:
    place = f", {finding.place}" if finding.place else ""
    text = Text()
    text.append(f"{finding.severity} {finding.code}", style=_COLOURS[finding.severity])
    text.append("\n")
    for label, value in (("where", f"{file}:{finding.line}{place}"), ("seen", finding.seen),
                         ("expected", finding.expected), ("fix", finding.fix)):  # fmt: skip
        text.append(f"  {label:<9} ", style="dim")
        text.append(f"{value}\n")
    return text


def _count(found: Checked) -> str:
    errors, warnings = len(found.errors), len(found.findings) - len(found.errors)
    if not found.findings:
        return f"{found.file}: nothing to mend"
    told = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return f"{found.file}: {', '.join(told)}"
