"""`qvl data sets`: known data sets and how to get them."""

import shlex

from trainer.cli.options import AsJson
from trainer.cli.terminal import say, show_json


def sets(json: AsJson = False) -> None:
    """List data sets of the hub that many people train on, with the command that fetches each."""
    from trainer.data.catalogue import KNOWN_SETS

    if json:
        show_json(
            [
                {
                    "name": it.name,
                    "category": it.category,
                    "hub": it.hub,
                    "note": it.note,
                    "command": ["qvl", *it.convert_command()],
                }
                for it in KNOWN_SETS
            ]
        )
        return
    for category in dict.fromkeys(it.category for it in KNOWN_SETS):
        say(category)
        for it in KNOWN_SETS:
            if it.category == category:
                say(f"  {it.name}{f' ({it.note})' if it.note else ''}")
                say(f"    {shlex.join(['qvl', *it.convert_command()])}")
