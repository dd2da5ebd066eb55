"""The pages of docs/reference that come from the code: each module here writes one of them.

``make reference`` writes them; a test fails while they differ from what the code says. They are
kept in the tree, so that they can be read where no Sphinx runs.
"""
