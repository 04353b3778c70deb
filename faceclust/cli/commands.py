"""The table of commands: the one place where a command is registered."""

from __future__ import annotations

from faceclust.cli.lazy_group import CommandEntry

#: The commands under each heading of `faceclust --help`, in the order they are used in.
_COMMANDS_BY_HEADING: dict[str, dict[str, str]] = {
    "Main job": {
        "scan": "Find the faces in your photos.",
        "cluster": "Group the faces by person.",
        "label": "Name the people by answering a few questions.",
        "watch": "Scan and group new photos as they arrive.",
    },
    "Naming": {
        "name": "Give groups or faces a name.",
        "confirm": "Confirm suggested faces of a person.",
        "reject": "Mark faces as not being a person.",
        "rename": "Change a person's name.",
        "person": "Record facts about a person: birth, groups, other names.",
        "merge": "Make people, groups or faces one person.",
        "split": "Take faces out of a group or a person.",
        "ignore": "Stop asking about groups or faces.",
        "unignore": "Ask about ignored groups or faces again.",
        "face": "Draw, move or remove faces by hand.",
        "undo": "Take back the last answers.",
        "redo": "Give undone answers once more.",
        "journal": "List all answers, or merge another journal.",
        "import": "Import names from other programs.",
    },
    "Looking": {
        "people": "List the people, with counts and dates.",
        "find": "List the photos of a person.",
        "together": "Count the photos that people share.",
        "identify": "Name the people on any photo.",
        "verify": "Compare two faces: same person or not.",
        "duplicates": "List photos that are the same picture.",
        "status": "Summarise the library.",
    },
    "Getting out": {
        "report": "Write an HTML page of all people.",
        "map": "Write an HTML map of all faces.",
        "albums": "Make a folder of links for each person.",
        "crops": "Write each face of a person as a picture.",
        "export": "Write a table of all faces, or XMP sidecars.",
    },
    "Tuning": {
        "evaluate": "Measure accuracy on labelled photos or your library.",
        "calibrate": "Find the best threshold for your people.",
        "models": "List, download, add or switch face models.",
        "train": "Train a face model from folders of people.",
    },
    "Care": {
        "forget": "Remove a person from all caches and journals.",
        "library": "List, move or end libraries.",
        "cache": "Check and tidy the library's files.",
        "config": "Show the options set in configuration files.",
        "doctor": "Check the installation.",
        "help": "Show the manual, by chapter.",
        "completion": "Print the completion script for a shell.",
        "man": "Print the manual page.",
    },
}
#: Commands whose module has another name, because theirs is a keyword.
_MODULE_BY_COMMAND = {"import": "import_"}

COMMANDS = [
    CommandEntry(name, f"faceclust.cli.{_MODULE_BY_COMMAND.get(name, name)}", text, heading)
    for heading, commands in _COMMANDS_BY_HEADING.items()
    for name, text in commands.items()
]
