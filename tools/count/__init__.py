"""Count what networks run on an ARM core that is not here: ``python -m tools.count``.

``programs`` unpacks QEMU and LLVM, and `tvmlcnn.analysis.counting` counts with them. ``count`` has
it count a network in tvmlcnn and in ``peers``, whose wheels for ARM ``guest`` runs in what
``sysroots`` shows them; ``litert`` converts. ``threads`` predicts what several would take.
``results`` are figures of it, and ``tables`` show them.
"""
