"""The names of shapes, and what each is for. Pure."""

from __future__ import annotations

from typing import Literal

Shape = Literal[
    "poisson", "constant", "ramp", "steps", "diurnal", "spike", "flash-crowd", "bot-swarm", "replay"
]  # fmt: skip
ABOUT: dict[str, str] = {
    "poisson": "independent arrivals at one rate, as many people make them",
    "constant": "one arrival every 1/rate seconds: no bursts, so less waiting than people cause",
    "ramp": "from rate to rate x factor in a straight line",
    "steps": "from rate to rate x factor in steps of equal length",
    "diurnal": "one day in the run: rate on the average, by swing more at noon and less at night",
    "spike": "rate, with rate x factor from one third of the run to two thirds",
    "flash-crowd": "rate, and people who come at once for one item and click it, then ever fewer",
    "bot-swarm": "rate, and programs that page on at a beat and click nothing",
    "replay": "recorded arrivals, from a CSV file with a column t, seconds",
}
