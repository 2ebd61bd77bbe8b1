"""Label sets, one class a line.

``imagenet.txt``: the 1000 classes of ILSVRC 2012 in the order of their WordNet ids, each by the
first name of its synset in WordNet 3.0 (Princeton University); four names that stand for two
classes are told apart.
"""
