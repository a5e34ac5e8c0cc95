"""Start of the runner: `python FOLDER COMMAND …`. The folder becomes a package, whatever it is called.

`probe NAME` is no command: it leaves no report (see probes.py). Python has put the folder itself on the path, where a
file of ours could hide one of Python's own: it is taken off.
"""

import os.path
import sys
from importlib import import_module

folder = os.path.dirname(os.path.abspath(__file__))
sys.path.pop(0)
sys.path.append(os.path.dirname(folder))
words = sys.argv[1:]
if words[:1] == ["probe"]:
    sys.exit(import_module(f"{os.path.basename(folder)}.probes").main(words[1:]))
sys.exit(import_module(f"{os.path.basename(folder)}.commands").main(words))
