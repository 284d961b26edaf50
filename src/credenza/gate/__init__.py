"""From received bytes to a verdict and a version.

The data's way, a file a step: ``reception``, ``assessment``, ``decide``, ``settlement``,
``publication``, ``review``, ``releases``. What is done is an event of the ``journal``, and
``fold`` makes the catalog of the events.
"""
