"""Time a compiled network beside the same network in other frameworks: ``python -m tools.peers``.

``job`` builds the network, ``convert`` writes it for each of ``frameworks`` in a process of its
own, ``measure`` times all of them in turns in this one, together with the loop of ``roofline``;
``results`` are figures of it, ``tables`` and ``bars`` show them.
"""
