"""Two houses at the same carrier: the retrying task that most teams write, and this package.

``theirs.py`` is the one, on the semantics of Celery (``celerylike.py``); ``ours.py`` is the other.
``contest.py`` gives both the same messages, the same carrier and the same misfortune: lost answers,
and a worker killed in the middle of a request. ``figures.py`` counts what became of it, by the
carrier's own truth. ``python -m tests.versus`` plays 1,000 messages and prints the table;
docs/explanation/versus.md explains it.
"""
