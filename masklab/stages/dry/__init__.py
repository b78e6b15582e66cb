"""What each verb would do and what it would take; nothing is written.

One file per verb; each function takes what the verb takes, and fails where the verb would fail.
"""

from masklab.stages.dry.analysis import Analysis, analyze
from masklab.stages.dry.exchange import Export, Import, export, import_masks
from masklab.stages.dry.outlook import Backend, Disk, Memory, Population, Training
from masklab.stages.dry.reporting import Page, report
from masklab.stages.dry.reproduction import Repetition, reproduce
from masklab.stages.dry.training import train
from masklab.stages.dry.verification import Check, verify
from masklab.stages.dry.walking import Way, walk

__all__ = [
    "Analysis",
    "Backend",
    "Check",
    "Disk",
    "Export",
    "Import",
    "Memory",
    "Page",
    "Population",
    "Repetition",
    "Training",
    "Way",
    "analyze",
    "export",
    "import_masks",
    "report",
    "reproduce",
    "train",
    "verify",
    "walk",
]
