from __future__ import annotations

from faults.base import Fault


class BenignCoincidentDeploy(Fault):
    """CONTROL: a release that really goes out, near an unrelated wobble, and changes nothing."""

    name = "benign-coincident-deploy"
    layer = "controls"
    seam = "release"
    control = True
    moves = "an entry of the change log"
    stays = "everything before and after it, on the changed component"
    look_alikes = ("bad-model-promoted", "version-split-brain", "cold-start-no-warmup")
    repairs = "none: do not roll back, find the real cause or close it with evidence"
