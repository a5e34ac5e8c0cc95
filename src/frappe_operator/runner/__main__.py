"""Entry point: `python FOLDER COMMAND …`. The folder is imported as a package, whatever its name is.

`probe NAME` is handled apart from the commands, because it writes no report (see probes.py). Python adds the folder
itself to `sys.path`, where a file of the runner could shadow a module of the standard library: the folder is replaced
by its parent.
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
