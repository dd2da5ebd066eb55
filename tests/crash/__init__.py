"""The crash matrix: real worker processes on PostgreSQL that die, or freeze, at a named point.

``cells.py`` says where a worker is struck, what the carrier does meanwhile and how every cell
must end. ``worker.py`` forks the processes that are struck, ``deeds.py`` is what they do,
``proxy.py`` strikes at an exact byte, ``stage.py`` is one cell's world. ``matrix.py`` plays every
cell (``python -m tests.crash``), ``test_crash.py`` a few of them.
"""
