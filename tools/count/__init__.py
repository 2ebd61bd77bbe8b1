"""Count what networks run on an ARM core that is not here: ``python -m tools.count``.

``programs`` unpacks QEMU and LLVM, ``compiled`` compiles a network and has `tvmlcnn.analysis.counting`
count it; ``results`` are figures of it, and ``tables`` show them.
"""
