"""The methods of the services as messages, for wrappers of a virtual call: `sandbox.virtual.machine.wire.Wire` of each.

What is checked of a request, and how an answer is unpacked, is the services' own code.
"""

from sandbox.virtual.processes.wires.appends import Append, AppendImpressions
from sandbox.virtual.processes.wires.lookups import EncodeUser, GetConsent, GetItems, GetUser, Score
from sandbox.virtual.processes.wires.stages import Apply, Rank, Retrieve

__all__ = [
    "Append",
    "AppendImpressions",
    "Apply",
    "EncodeUser",
    "GetConsent",
    "GetItems",
    "GetUser",
    "Rank",
    "Retrieve",
    "Score",
]
